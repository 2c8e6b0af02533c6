//! A broker from its start to its end on the controller's thread: it joins the cluster, serves as controller, and joins anew when its
//! session has ended or its place was taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::applying::{EffectBatch, Finished, apply_effects};
use super::{Driver, Ended, REQUESTS_WAITING, give, now_ms};
use crate::effects::{BrokerRegistration, EffectSink, MetadataSnapshot};
use crate::handle::{ControllerHandle, Reply, Request};
use crate::membership::register_and_elect;
use crate::requests::{ControllerError, TopicPolicy};
use crate::sessions::Sessions;
use crate::startup::{Bootstrap, StartError};
use crate::store::{Store, StoreError};

/// Between two attempts to join again.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the first attempt to join is made anew when a connection breaks meanwhile.
const ATTEMPTS: usize = 5;

/// How long a stop waits for an ensemble that does not answer.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A controller that runs.
pub struct Started {
    /// For the broker's handlers.
    pub handle: ControllerHandle,
    /// The metadata right after the start, as the first effects have told it as well.
    pub snapshot: MetadataSnapshot,
}

/// Registers this broker, makes it controller, loads the metadata, elects leaders, lets `sink` apply the first effects and
/// goes on serving requests until [`ControllerHandle::shutdown`] or until every handle is gone.
///
/// # Errors
/// Whatever keeps the broker from joining the first time; later it is tried again and again.
pub async fn start(
    bootstrap: Bootstrap,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    sink: Box<dyn EffectSink>,
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
            runtime.block_on(run(bootstrap.sessions, registration, policy, sink, started));
        })
        .map_err(|error| thread_failed(error.to_string()))?;
    answer
        .await
        .unwrap_or_else(|_| Err(thread_failed("it ended while starting".to_owned())))
}

async fn run(
    sessions: Arc<Sessions>,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    sink: Box<dyn EffectSink>,
    started: oneshot::Sender<Result<Started, StartError>>,
) {
    let (batches, effects) = mpsc::unbounded_channel();
    let (finished, applied) = mpsc::unbounded_channel();
    let applying = tokio::spawn(apply_effects(sink, effects, finished));
    let member = Member {
        sessions,
        registration,
        policy,
        batches,
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
    sessions: Arc<Sessions>,
    registration: BrokerRegistration,
    policy: Arc<dyn TopicPolicy>,
    batches: mpsc::UnboundedSender<EffectBatch>,
    applied: mpsc::UnboundedReceiver<Finished>,
}

impl Member {
    /// Gives who has asked for the end, and how that went.
    async fn run(
        mut self,
        started: oneshot::Sender<Result<Started, StartError>>,
    ) -> Option<(Reply<()>, Result<(), StoreError>)> {
        let (mut driver, mut first) = match self.join_first().await {
            Ok(joined) => joined,
            Err(error) => {
                // Nothing is left registered; that the store fails to close adds nothing to the error.
                drop(self.close().await);
                give(started, Err(error));
                return None;
            }
        };
        let (handle, mut asked) = ControllerHandle::channel(REQUESTS_WAITING);
        let snapshot = driver.snapshot();
        // The broker asks from now on, but is told nothing else before the first effects are through.
        let announce = move |_| give(started, Ok(Started { handle, snapshot }));
        first.completions.push(Box::new(announce));
        let reply = loop {
            self.tell(first);
            let joined_at = Instant::now();
            let ended = tokio::select! {
                biased;
                ended = driver.serve(&mut asked.requests, &mut self.applied) => ended,
                () = store_is_away(&self.sessions, &mut asked.stopping) => {
                    break shutdown_among(&mut asked.requests);
                }
            };
            match ended {
                Ended::Stopped(reply) => break reply,
                Ended::Deposed => match self.rejoin(joined_at, &mut asked.requests).await {
                    Ok(joined) => (driver, first) = joined,
                    Err(reply) => break reply,
                },
            }
        };
        let closed = self.close().await;
        // Without a reply every handle is gone: nobody wants to know.
        reply.map(|reply| (reply, closed))
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

    fn tell(&self, batch: EffectBatch) {
        self.batches
            .send(batch)
            .unwrap_or_else(|_| unreachable!("the effects' task ends after the member"));
    }

    async fn join(&self) -> Result<(Driver, EffectBatch), StartError> {
        let elected = register_and_elect(&self.sessions, &self.registration, now_ms()).await?;
        let (sessions, policy) = (self.sessions.clone(), self.policy.clone());
        Driver::begin(sessions, self.registration.id, elected, policy, self.batches.clone()).await
    }

    /// The first time everything but what passes is final.
    async fn join_first(&self) -> Result<(Driver, EffectBatch), StartError> {
        for _ in 1..ATTEMPTS {
            match self.join().await {
                Err(StartError::Store(StoreError::Unknown { .. })) => {}
                Err(StartError::Store(StoreError::SessionEnded)) if self.sessions.is_ensemble() => {
                    self.sessions.renew().await?;
                }
                joined => return joined,
            }
        }
        self.join().await
    }

    /// Joins anew, in a new session where the old one is over, as often as it takes. Meanwhile whoever asks is told that nobody is
    /// controller here. `Err` when the broker stops before it is back.
    async fn rejoin(
        &self,
        joined_at: Instant,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<(Driver, EffectBatch), Option<Reply<()>>> {
        let mut joining = Box::pin(self.join_at_last(joined_at));
        loop {
            tokio::select! {
                biased;
                joined = &mut joining => return Ok(joined),
                request = requests.recv() => match request {
                    Some(request) => {
                        if let Some(reply) = super::refuse(request, &ControllerError::NotController) {
                            return Err(Some(reply));
                        }
                    }
                    None => return Err(None),
                },
            }
        }
    }

    async fn join_at_last(&self, joined_at: Instant) -> (Driver, EffectBatch) {
        // Who was not controller for long is not in a hurry: whatever ended that may end it again.
        if joined_at.elapsed() < PAUSE {
            tokio::time::sleep(PAUSE).await;
        }
        let mut said = None;
        loop {
            let error = match self.join().await {
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
                        log::warn!("this broker is not the controller: {reason}; it goes on trying");
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

/// Who has asked for the end; whoever asked for anything else is refused.
fn shutdown_among(requests: &mut mpsc::Receiver<Request>) -> Option<Reply<()>> {
    requests.close();
    std::iter::from_fn(|| requests.try_recv().ok())
        .filter_map(|request| super::refuse(request, &ControllerError::NotController))
        .last()
}
