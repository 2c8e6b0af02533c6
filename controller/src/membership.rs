//! How a broker becomes and stays a member of its cluster: it registers in each session, and stands for election as controller.

use crate::broker_lifecycle::{election_ops, registration_ops};
use crate::effects::BrokerRegistration;
use crate::ids::{BrokerEpoch, BrokerId, ControllerEpoch};
use crate::sessions::Sessions;
use crate::startup::{StartError, check, unless_there};
use crate::store::{BoxFuture, Op, OpResult, Store, StoreError, Watcher, Znode};
use crate::znodes;

/// How often a write is tried anew whose outcome a broken connection has hidden, or that another broker has got in the way of.
const ATTEMPTS: usize = 10;

/// What a registered broker is.
pub(crate) enum Role {
    /// It has won the election.
    Controller(Elected),
    /// Somebody else has.
    Standby(Standby),
}

/// A registered broker beside the controller.
pub(crate) struct Standby {
    pub broker_epoch: BrokerEpoch,
    /// Who is the controller.
    pub controller: BrokerId,
    /// Its `/controller`.
    pub controller_czxid: i64,
    /// Version of `/controller_epoch`, read after that.
    pub controller_epoch_version: i32,
    /// Fires when `/controller` changes, or the session is over.
    pub replaced: Watcher,
    /// Fires when this broker's registration changes, or the session is over.
    pub unregistered: Watcher,
}

/// A registered broker that has won the election.
pub(crate) struct Elected {
    pub broker_epoch: BrokerEpoch,
    pub controller_epoch: ControllerEpoch,
    /// Version of `/controller_epoch`, checked by every later write.
    pub controller_epoch_version: i32,
    /// Fires when somebody takes `/controller` away, or the session is over.
    pub deposed: Watcher,
}

/// What there is before a broker joins.
struct Before {
    controller: Option<Znode>,
    controller_epoch: ControllerEpoch,
    controller_epoch_version: i32,
    has_features: bool,
}

impl Before {
    async fn read(sessions: &Sessions) -> Result<Before, StartError> {
        let paths = [znodes::CONTROLLER, znodes::CONTROLLER_EPOCH, znodes::FEATURE].map(str::to_owned);
        let mut found = sessions.get_many(paths.to_vec()).await?;
        let path = znodes::CONTROLLER_EPOCH.to_owned();
        let (data, stat) = found[1].take().ok_or(StoreError::NoNode { path })?;
        Ok(Before {
            controller: found[0].take(),
            controller_epoch: znodes::decode_controller_epoch(&data)?,
            controller_epoch_version: stat.version,
            has_features: found[2].is_some(),
        })
    }

    /// What is left of a controller that this broker was in an earlier session goes; `None` where somebody else is the controller.
    fn obsolete_controller(&self, sessions: &Sessions) -> Option<Vec<Op>> {
        match &self.controller {
            None => Some(Vec::new()),
            Some((_, stat)) if sessions.is_ours(stat.ephemeral_owner) => {
                Some(vec![Op::delete(znodes::CONTROLLER, stat.version)])
            }
            Some(_) => None,
        }
    }
}

/// Registers this broker, unless it is registered, and has it stand for election where nobody else is the controller.
///
/// # Errors
/// Where another broker has this id, or the store fails.
pub(crate) async fn register_and_stand(
    sessions: &Sessions,
    registration: &BrokerRegistration,
    mut registered: Option<BrokerEpoch>,
    now_ms: i64,
) -> Result<Role, StartError> {
    let mut contended = None;
    for _ in 0..ATTEMPTS {
        let before = Before::read(sessions).await?;
        let Some(obsolete) = before.obsolete_controller(sessions) else {
            let broker_epoch = match registered {
                Some(broker_epoch) => broker_epoch,
                None => register(sessions, registration, now_ms).await?,
            };
            registered = Some(broker_epoch);
            match standby(sessions, registration.id, broker_epoch).await? {
                Some(standby) => return Ok(Role::Standby(standby)),
                None => continue,
            }
        };
        let (epoch, version) = (before.controller_epoch.next(), before.controller_epoch_version);
        // Nobody stands for election under an id that is somebody else's. Alone, both writes share a commit.
        let mut registering = match registered {
            None if sessions.is_ensemble() => {
                registered = Some(register(sessions, registration, now_ms).await?);
                None
            }
            None => Some(register(sessions, registration, now_ms)),
            Some(_) => None,
        };
        let election = election_ops(registration.id, epoch, version, now_ms);
        let elected = sessions.multi(obsolete.into_iter().chain(election).collect());
        // The controller creates /feature if nobody has yet.
        let features = (!before.has_features).then(|| create_features(sessions, version + 1));
        let watched = sessions.get_and_watch(znodes::CONTROLLER);
        if let Some(registering) = registering.take() {
            registered = Some(registering.await?);
        }
        match elected.await {
            Ok(_) => {}
            // What is there now says who has won: perhaps this broker, if only the answer was lost.
            Err(error) if is_contended(&error) => {
                contended = Some(error);
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(features) = features {
            unless_there(features.await)?;
        }
        match (watched.await, registered) {
            (Ok((_, stat, deposed)), Some(broker_epoch)) if stat.ephemeral_owner == sessions.session_id() => {
                return Ok(Role::Controller(Elected {
                    broker_epoch,
                    controller_epoch: epoch,
                    controller_epoch_version: version + 1,
                    deposed,
                }));
            }
            // Somebody has taken it away again.
            (Ok(_) | Err(StoreError::NoNode { .. }), _) => {}
            (Err(error), _) => return Err(error.into()),
        }
    }
    let path = znodes::CONTROLLER.to_owned();
    Err(contended.unwrap_or(StoreError::NodeExists { path }).into())
}

/// What a standby watches; `None` where there is no controller any more, or it is this broker.
async fn standby(sessions: &Sessions, id: BrokerId, broker_epoch: BrokerEpoch) -> Result<Option<Standby>, StartError> {
    let (data, stat, replaced) = match sessions.get_and_watch(znodes::CONTROLLER).await {
        Err(StoreError::NoNode { .. }) => return Ok(None),
        found => found?,
    };
    if sessions.is_ours(stat.ephemeral_owner) {
        return Ok(None);
    }
    let (epoch, unregistered) = (
        sessions.exists(znodes::CONTROLLER_EPOCH).await?,
        sessions.exists_and_watch(&znodes::broker(id)).await?,
    );
    let (Some(epoch), (Some(own), unregistered)) = (epoch, unregistered) else {
        return Err(StartError::Unregistered { id });
    };
    if own.czxid != broker_epoch.0 {
        return Err(StartError::Unregistered { id });
    }
    Ok(Some(Standby {
        broker_epoch,
        controller: znodes::decode_controller(&data)?,
        controller_czxid: stat.czxid,
        controller_epoch_version: epoch.version,
        replaced,
        unregistered,
    }))
}

/// The broker's registration, begun when this is called.
fn register<'a>(
    sessions: &'a Sessions,
    registration: &'a BrokerRegistration,
    now_ms: i64,
) -> BoxFuture<'a, Result<BrokerEpoch, StartError>> {
    let registering = sessions.multi(registration_ops(registration, version_in(sessions), now_ms));
    Box::pin(own_registration(registering, sessions, registration, now_ms))
}

fn create_features(sessions: &Sessions, version: i32) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
    let none = znodes::encode_features(&Default::default());
    sessions.multi(vec![check(version), Op::create(znodes::FEATURE, none)])
}

/// The broker's epoch where `registering` goes well or is this broker's own doing: of this session, if an answer was lost, or of an
/// earlier one, which is replaced.
async fn own_registration(
    registering: BoxFuture<'static, Result<Vec<OpResult>, StoreError>>,
    sessions: &Sessions,
    registration: &BrokerRegistration,
    now_ms: i64,
) -> Result<BrokerEpoch, StartError> {
    let id = registration.id;
    let path = znodes::broker(id);
    let mut attempts = 1..=ATTEMPTS;
    let mut registered = registering.await;
    loop {
        match registered {
            Ok(results) => return Ok(created_in(&results)),
            Err(error) if is_contended(&error) && attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
        }
        let mut version = version_in(sessions);
        let mut obsolete = None;
        match sessions.exists(&path).await? {
            None => {}
            Some(stat) if stat.ephemeral_owner == sessions.session_id() => return Ok(BrokerEpoch(stat.czxid)),
            Some(stat) if sessions.is_ours(stat.ephemeral_owner) => {
                log::info!(
                    "the registration of broker {id} is of session {:#x}, which this broker has held before: it is replaced",
                    stat.ephemeral_owner
                );
                version += i32::from(version == stat.version);
                obsolete = Some(Op::delete(path.clone(), stat.version));
            }
            Some(_) => return Err(StartError::BrokerIdInUse { id }),
        }
        let registration = registration_ops(registration, version, now_ms);
        registered = sessions.multi(obsolete.into_iter().chain(registration).collect()).await;
    }
}

/// The version of a registration that is made in this session: hardly ever that of the session before.
fn version_in(sessions: &Sessions) -> i32 {
    match sessions.is_ensemble() {
        true => 1 + (sessions.session_id().rem_euclid(8) as i32),
        false => 1,
    }
}

/// Whether looking again tells more: somebody was faster, or nobody knows what happened.
fn is_contended(error: &StoreError) -> bool {
    matches!(
        error.cause(),
        StoreError::NodeExists { .. }
            | StoreError::NoNode { .. }
            | StoreError::BadVersion { .. }
            | StoreError::Unknown { .. }
    )
}

fn created_in(results: &[OpResult]) -> BrokerEpoch {
    match results.last() {
        Some(OpResult::Set(stat)) => BrokerEpoch(stat.czxid),
        other => unreachable!("a registration ends with a set, not {other:?}"),
    }
}
