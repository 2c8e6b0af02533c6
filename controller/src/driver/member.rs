//! A broker from its start to its end on the controller's thread: it joins the cluster, serves as controller, and joins anew when its
//! session has ended or its place was taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::applying::{EffectBatch, Finished, apply_effects};
use super::requests::refuse;
use super::standby::StandingBy;
use super::{Driver, Ended, REQUESTS_WAITING, Surroundings, give, now_ms};
use crate::effects::{BrokerRegistration, EffectSink, MetadataSnapshot};
use crate::handle::{ControllerHandle, Place, Reply, Request};
use crate::ids::BrokerEpoch;
use crate::membership::{Role, register_and_stand};
use crate::peers::Peers;
use crate::requests::{ControllerError, TopicPolicy};
use crate::sessions::Sessions;
use crate::startup::{self, Bootstrap, StartError};
use crate::store::{Store, StoreError};

/// Between two attempts to join again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the first attempt to join is made anew when a connection breaks meanwhile.
const ATTEMPTS: usize = 5;

/// How long a stop waits for an ensemble that does not answer.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A member of a cluster that runs.
pub struct Started {
    /// For the broker's handlers.
    pub handle: ControllerHandle,
    /// Of a controller, the metadata right after the start, as the first effects have told it as well. Of a standby what it knows by
    /// itself: brokers and topics come from the controller.
    pub snapshot: MetadataSnapshot,
}

/// Registers this broker; where nobody else is the controller it becomes that, loads the metadata, elects leaders, and lets `sink` and
/// the other brokers, whom `peers` reaches, hear of it. Goes on serving requests until [`ControllerHandle::shutdown`] or until every handle is gone.
///
/// # Errors
/// Whatever keeps the broker from joining the first time; later it is tried again and again.
pub async fn start(
    bootstrap: Bootstrap,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    sink: Box<dyn EffectSink>,
    peers: Arc<dyn Peers>,
) -> Result<Started, StartError> {
    let (started, answer) = oneshot::channel();
    let thread_failed = |reason: String| StartError::Thread { reason };
    std::thread::Builder::new()
        .name("controller".to_owned())
        .spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    return give(
                        started,
                        Err(StartError::Thread {
                            reason: error.to_string(),
                        }),
                    );
                }
            };
            runtime.block_on(run(bootstrap.sessions, registration, policy, (sink, peers), started));
        })
        .map_err(|error| thread_failed(error.to_string()))?;
    answer
        .await
        .unwrap_or_else(|_| Err(thread_failed("it ended while starting".to_owned())))
}

/// As [`start`], on the `LocalSet` of whoever calls: for a process that has one thread.
///
/// # Errors
/// As [`start`].
///
/// # Panics
/// Outside of a `LocalSet`.
pub async fn start_here(
    bootstrap: Bootstrap,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    sink: Box<dyn EffectSink>,
    peers: Arc<dyn Peers>,
) -> Result<Started, StartError> {
    let (started, answer) = oneshot::channel();
    tokio::task::spawn_local(run(bootstrap.sessions, registration, policy, (sink, peers), started));
    answer.await.unwrap_or_else(|_| {
        let reason = "it ended while starting".to_owned();
        Err(StartError::Thread { reason })
    })
}

async fn run(
    sessions: Arc<Sessions>,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    (sink, peers): (Box<dyn EffectSink>, Arc<dyn Peers>),
    started: oneshot::Sender<Result<Started, StartError>>,
) {
    let (batches, effects) = mpsc::unbounded_channel();
    let (finished, applied) = mpsc::unbounded_channel();
    let applying = tokio::spawn(apply_effects(registration.id, sink, effects, finished.clone()));
    let member = Member {
        place: Place::new(sessions.clone()),
        sessions,
        registration,
        policy,
        peers,
        batches,
        finished,
        applied,
    };
    let stopped = member.run(started).await;
    if let Err(error) = applying.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    // Nothing is told to the broker any more.
    if let Some((reply, closed)) = stopped {
        give(reply, closed.map_err(ControllerError::from));
    }
}

struct Member {
    place: Arc<Place>,
    sessions: Arc<Sessions>,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    peers: Arc<dyn Peers>,
    batches: mpsc::UnboundedSender<EffectBatch>,
    finished: mpsc::UnboundedSender<Finished>,
    applied: mpsc::UnboundedReceiver<Finished>,
}

/// What a broker has become.
enum Joined {
    /// The controller, and what its broker has to hear first.
    Controller(Box<Driver>, EffectBatch),
    Standby(Box<StandingBy>),
}

impl Member {
    /// Gives who has asked for the end, and how that went.
    async fn run(
        mut self,
        started: oneshot::Sender<Result<Started, StartError>>,
    ) -> Option<(Reply<()>, Result<(), StoreError>)> {
        let first = match self.join_first().await {
            Ok(joined) => self.snapshot(&joined).await.map(|snapshot| (joined, snapshot)),
            Err(error) => Err(error),
        };
        let (mut joined, snapshot) = match first {
            Ok(first) => first,
            Err(error) => {
                // Nothing is left registered; that the store fails to close adds nothing to the error.
                drop(self.close().await);
                give(started, Err(error));
                return None;
            }
        };
        let (handle, mut asked) = ControllerHandle::channel(REQUESTS_WAITING, self.place.clone());
        // The broker asks from now on, but is told nothing else before the first effects are through.
        let announce = move || give(started, Ok(Started { handle, snapshot }));
        match &mut joined {
            Joined::Controller(_, first) => first.completions.push(Box::new(move |_| announce())),
            Joined::Standby(_) => announce(),
        }
        let reply = loop {
            let joined_at = Instant::now();
            let broker_epoch = self.note(&joined);
            let serving = Self::serve(joined, &self.batches, &mut asked.requests, &mut self.applied);
            let ended = tokio::select! {
                biased;
                ended = serving => ended,
                () = store_is_away(&self.sessions, &mut asked.stopping) => {
                    break shutdown_among(&mut asked.requests);
                }
            };
            self.place.vacate();
            let registered = match ended {
                Ended::Stopped(reply) => break reply,
                Ended::Deposed => None,
                Ended::Vacant => Some(broker_epoch),
            };
            if self.place.is_leaving() {
                break await_shutdown(&mut asked.requests).await;
            }
            joined = match self.rejoin(joined_at, registered, &mut asked.requests).await {
                Ok(joined) => joined,
                Err(reply) => break reply,
            };
        };
        let closed = self.close().await;
        // Without a reply every handle is gone: nobody wants to know.
        reply.map(|reply| (reply, closed))
    }

    async fn serve(
        joined: Joined,
        batches: &mpsc::UnboundedSender<EffectBatch>,
        requests: &mut mpsc::Receiver<Request>,
        applied: &mut mpsc::UnboundedReceiver<Finished>,
    ) -> Ended {
        match joined {
            Joined::Controller(mut driver, first) => {
                batches
                    .send(first)
                    .unwrap_or_else(|_| unreachable!("the effects' task ends after the member"));
                driver.serve(requests, applied).await
            }
            Joined::Standby(mut standby) => {
                let mut serving = Box::pin(standby.serve(requests));
                loop {
                    tokio::select! {
                        biased;
                        Some(finished) = applied.recv() => answer_late(finished),
                        ended = &mut serving => break ended,
                    }
                }
            }
        }
    }

    /// Lets everybody know what this broker has become.
    fn note(&self, joined: &Joined) -> BrokerEpoch {
        let (broker_epoch, controller, is_controller) = match joined {
            Joined::Controller(driver, _) => (driver.elected.broker_epoch, self.registration.id, true),
            Joined::Standby(standby) => (standby.broker_epoch(), standby.controller(), false),
        };
        self.place.set(broker_epoch, controller, is_controller);
        broker_epoch
    }

    async fn snapshot(&self, joined: &Joined) -> Result<MetadataSnapshot, StartError> {
        match joined {
            Joined::Controller(driver, _) => Ok(driver.snapshot()),
            Joined::Standby(standby) => {
                let outline = startup::load_outline(self.sessions.as_ref(), standby.controller()).await?;
                Ok(outline.snapshot(standby.broker_epoch()))
            }
        }
    }

    /// Ends the session. Where no server answers it ends by itself.
    async fn close(&self) -> Result<(), StoreError> {
        let closing = self.sessions.close();
        if !self.sessions.is_ensemble() {
            return closing.await;
        }
        tokio::time::timeout(STOP_WAIT, closing).await.unwrap_or_else(|_| {
            log::warn!("ZooKeeper does not answer: the registration goes when its session times out");
            Ok(())
        })
    }

    async fn join(&self, registered: Option<BrokerEpoch>) -> Result<Joined, StartError> {
        let id = self.registration.id;
        let role = register_and_stand(&self.sessions, &self.registration, registered, now_ms()).await?;
        let around = Surroundings {
            sessions: self.sessions.clone(),
            policy: self.policy.clone(),
            peers: self.peers.clone(),
            batches: self.batches.clone(),
            finished: self.finished.clone(),
            place: self.place.clone(),
        };
        match role {
            Role::Controller(elected) => {
                let (driver, first) = Driver::begin(around, id, elected).await?;
                Ok(Joined::Controller(Box::new(driver), first))
            }
            Role::Standby(role) => Ok(Joined::Standby(Box::new(StandingBy::new(around, id, role)))),
        }
    }

    /// The first time everything but what passes is final.
    async fn join_first(&self) -> Result<Joined, StartError> {
        for _ in 1..ATTEMPTS {
            match self.join(None).await {
                // A controller may have taken this registration for the one of the process before.
                Err(StartError::Store(StoreError::Unknown { .. }) | StartError::Unregistered { .. }) => {}
                Err(StartError::Store(StoreError::SessionEnded)) if self.sessions.is_ensemble() => {
                    self.sessions.renew().await?;
                }
                joined => return joined,
            }
        }
        self.join(None).await
    }

    /// Joins anew, in a new session where the old one is over, as often as it takes. Meanwhile whoever asks is told that nobody is
    /// controller here. `Err` when the broker stops before it is back.
    async fn rejoin(
        &self,
        joined_at: Instant,
        registered: Option<BrokerEpoch>,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Joined, Option<Reply<()>>> {
        let mut joining = Box::pin(self.join_at_last(joined_at, registered));
        loop {
            tokio::select! {
                biased;
                joined = &mut joining => return Ok(joined),
                request = requests.recv() => match request {
                    Some(request) => {
                        if let Some(reply) = refuse(request, &ControllerError::NotController) {
                            return Err(Some(reply));
                        }
                    }
                    None => return Err(None),
                },
            }
        }
    }

    async fn join_at_last(&self, joined_at: Instant, mut registered: Option<BrokerEpoch>) -> Joined {
        // Who was not controller for long is not in a hurry: whatever ended that may end it again. But who only waits for its turn is.
        if registered.is_none() && joined_at.elapsed() < PAUSE {
            tokio::time::sleep(PAUSE).await;
        }
        let mut said = None;
        loop {
            let error = match self.join(registered.take()).await {
                Ok(joined) => return joined,
                Err(error) => error,
            };
            let is_over = matches!(error, StartError::Store(StoreError::SessionEnded | StoreError::Closed));
            let renewed = if is_over { self.sessions.renew().await } else { Ok(()) };
            match renewed {
                // In the new session it is tried at once.
                Ok(()) if is_over => log::info!("a new ZooKeeper session: {:#x}", self.sessions.session_id()),
                renewed => {
                    let reason = renewed
                        .err()
                        .map_or_else(|| error.to_string(), |error| error.to_string());
                    if said.as_ref() != Some(&reason) {
                        log::warn!("this broker is no member of its cluster: {reason}; it goes on trying");
                        said = Some(reason);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Resolves when the broker shall stop and has waited long enough for an ensemble that does not answer.
async fn store_is_away(sessions: &Sessions, stopping: &mut watch::Receiver<bool>) {
    if !sessions.is_ensemble() || stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(STOP_WAIT).await;
}

/// What this broker has decided while it was the controller is applied now. What would follow is decided by whoever is the controller.
fn answer_late(finished: Finished) {
    let completions = finished.completions.into_iter();
    completions.for_each(|complete| complete(Err(ControllerError::NotController)));
}

/// Waits for whoever asks for the end; whoever asks for anything else is refused.
async fn await_shutdown(requests: &mut mpsc::Receiver<Request>) -> Option<Reply<()>> {
    loop {
        let reply = refuse(requests.recv().await?, &ControllerError::NotController);
        if reply.is_some() {
            return reply;
        }
    }
}

/// Who has asked for the end; whoever asked for anything else is refused.
fn shutdown_among(requests: &mut mpsc::Receiver<Request>) -> Option<Reply<()>> {
    requests.close();
    std::iter::from_fn(|| requests.try_recv().ok())
        .filter_map(|request| refuse(request, &ControllerError::NotController))
        .last()
}
