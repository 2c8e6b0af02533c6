//! Other brokers, as a controller tells them what it has decided, and as everybody watches whether they are alive. The broker's edge
//! implements it with the inter-broker protocol.

use std::sync::Arc;

use crate::effects::{Applied, Effect, LiveBroker};
use crate::ids::{BrokerId, ControllerEpoch};
use crate::store::BoxFuture;

/// Who has decided what a broker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Controller {
    /// The controller's broker id.
    pub id: BrokerId,
    /// The epoch of its election.
    pub epoch: ControllerEpoch,
}

/// Why another broker has not applied an effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It could not be reached, or has not answered: perhaps it was applied. Telling it again does no harm.
    #[error("{reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// It has heard of a later controller.
    #[error("it knows a later controller")]
    StaleControllerEpoch,
    /// It has registered anew since.
    #[error("it has registered anew")]
    StaleBrokerEpoch,
    /// It refused the request as a whole.
    #[error("it answered {name} ({code})")]
    Refused {
        /// The error code.
        code: i16,
        /// Its name.
        name: String,
    },
}

/// The other brokers of the cluster.
pub trait Peers: Send + Sync + 'static {
    /// Tells a broker one effect; resolves when it has answered. `live` are the brokers that the effect may name. What is told twice
    /// does no harm.
    fn tell(
        &self,
        to: &LiveBroker,
        controller: Controller,
        effect: Arc<Effect>,
        live: Arc<Vec<LiveBroker>>,
    ) -> BoxFuture<'static, Result<Applied, PeerError>>;

    /// Resolves when there is evidence that a broker's process is gone or hangs, with the evidence for the log.
    fn evidence_of_death(&self, of: &LiveBroker) -> BoxFuture<'static, String>;
}

/// No other brokers: of a broker that is alone on its store.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

impl Peers for NoPeers {
    fn tell(
        &self,
        to: &LiveBroker,
        _controller: Controller,
        _effect: Arc<Effect>,
        _live: Arc<Vec<LiveBroker>>,
    ) -> BoxFuture<'static, Result<Applied, PeerError>> {
        let reason = format!("broker {} is not of this store", to.registration.id);
        Box::pin(std::future::ready(Err(PeerError::Unreachable { reason })))
    }

    fn evidence_of_death(&self, _of: &LiveBroker) -> BoxFuture<'static, String> {
        Box::pin(std::future::pending())
    }
}
