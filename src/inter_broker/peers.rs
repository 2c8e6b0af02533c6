//! The other brokers, as this one's controller and its vigils reach them: a connection each for what is told, and one for each vigil.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use controller::effects::{Applied, LiveBroker};
use controller::ids::BrokerId;
use controller::{BoxFuture, BrokerEpoch, Controller, Effect, Endpoint, PeerError, Peers};
use protocol::messages::leader_and_isr::LeaderAndIsrResponse;
use protocol::messages::stop_replica::StopReplicaResponse;
use protocol::messages::update_metadata::UpdateMetadataResponse;
use protocol::wire::Message;
use protocol::{ApiKey, ErrorCode};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::connection::{Connection, ConnectionError};
use super::dial::Dial;
use super::{control, versions, vigil};

/// How long connecting to be told something may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The connection to one registration: a call to an earlier one that hangs delays nobody.
type Kept = Arc<Mutex<Option<Connection>>>;

/// Reaches other brokers by their inter-broker listener.
pub struct InterBrokerPeers {
    id: BrokerId,
    config: Arc<BrokerConfig>,
    dial: Arc<dyn Dial>,
    /// Where sockets are: the controller's thread has none.
    runtime: Handle,
    connections: parking_lot::Mutex<HashMap<BrokerId, (BrokerEpoch, Kept)>>,
}

impl InterBrokerPeers {
    /// Of broker `id`; its sockets live on this runtime.
    pub fn new(id: BrokerId, config: Arc<BrokerConfig>, dial: Arc<dyn Dial>, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            id,
            config,
            dial,
            runtime,
            connections: parking_lot::Mutex::default(),
        })
    }

    fn kept(&self, of: &LiveBroker) -> Kept {
        let mut connections = self.connections.lock();
        match connections.get(&of.registration.id) {
            Some((epoch, kept)) if *epoch == of.broker_epoch => kept.clone(),
            _ => {
                let kept = Kept::default();
                connections.insert(of.registration.id, (of.broker_epoch, kept.clone()));
                kept
            }
        }
    }

    fn endpoint(&self, of: &LiveBroker) -> Result<Endpoint, ConnectionError> {
        let listener = &self.config.inter_broker_listener_name;
        let endpoints = &of.registration.endpoints;
        let endpoint = endpoints.iter().find(|endpoint| endpoint.listener_name == *listener);
        endpoint.cloned().ok_or_else(|| ConnectionError::NoEndpoint {
            broker: of.registration.id,
            listener: listener.clone(),
        })
    }
}

impl Peers for InterBrokerPeers {
    fn tell(
        &self,
        to: &LiveBroker,
        controller: Controller,
        effect: Arc<Effect>,
        live: Arc<Vec<LiveBroker>>,
    ) -> BoxFuture<'static, Result<Applied, PeerError>> {
        let kept = self.kept(to);
        let call = Call {
            id: self.id,
            dial: self.dial.clone(),
            config: self.config.clone(),
            endpoint: self.endpoint(to),
            to: to.broker_epoch,
            kept,
            controller,
        };
        let telling = self.runtime.spawn(async move { call.tell(&effect, &live).await });
        // Who stops waiting for the answer does not stop what was sent.
        Box::pin(async move {
            telling.await.unwrap_or_else(|e| {
                let reason = e.to_string();
                Err(PeerError::Unreachable { reason })
            })
        })
    }

    fn evidence_of_death(&self, of: &LiveBroker) -> BoxFuture<'static, String> {
        let (id, dial, endpoint) = (self.id, self.dial.clone(), self.endpoint(of));
        let watching = self.runtime.spawn(async move {
            match endpoint {
                Ok(endpoint) => vigil::watch(id, dial.as_ref(), &endpoint).await,
                // Nothing can be said of who has no address.
                Err(_) => std::future::pending().await,
            }
        });
        let watching = Aborted(watching);
        Box::pin(async move {
            let mut watching = watching;
            match (&mut watching.0).await {
                Ok(evidence) => evidence,
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// A task that ends with whoever waits for it.
struct Aborted(tokio::task::JoinHandle<String>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One effect on its way to a broker.
struct Call {
    id: BrokerId,
    dial: Arc<dyn Dial>,
    config: Arc<BrokerConfig>,
    endpoint: Result<Endpoint, ConnectionError>,
    to: BrokerEpoch,
    kept: Kept,
    controller: Controller,
}

impl Call {
    async fn tell(self, effect: &Effect, live: &[LiveBroker]) -> Result<Applied, PeerError> {
        let (config, controller, to) = (self.config.clone(), self.controller, self.to);
        match effect {
            Effect::LeaderAndIsr { topics, .. } => {
                let listener = &config.inter_broker_listener_name;
                let request = control::leader_and_isr(controller, to, topics, live, listener);
                let version = versions::leader_and_isr(&config);
                let response: LeaderAndIsrResponse = self.ask(ApiKey::LeaderAndIsr, version, &request).await?;
                checked(response.error_code)?;
                Ok(Applied {
                    failed: control::failed_to_lead(&request, &response),
                    is_stale: false,
                })
            }
            Effect::UpdateMetadata { brokers, topics, .. } => {
                let request = control::update_metadata(controller, to, brokers, topics);
                let version = versions::update_metadata(&config);
                let response: UpdateMetadataResponse = self.ask(ApiKey::UpdateMetadata, version, &request).await?;
                checked(response.error_code).map(|()| Applied::default())
            }
            Effect::StopReplica { delete, partitions, .. } => {
                let version = versions::stop_replica(&config);
                let request = control::stop_replica(controller, to, version, *delete, partitions);
                let response: StopReplicaResponse = self.ask(ApiKey::StopReplica, version, &request).await?;
                checked(response.error_code)?;
                Ok(Applied {
                    failed: control::failed_to_stop(&response),
                    is_stale: false,
                })
            }
            // Each broker reads configurations by itself.
            Effect::TopicConfigChanged { .. } => Ok(Applied::default()),
        }
    }

    async fn ask<Q: Message, A: Message>(self, key: ApiKey, version: i16, request: &Q) -> Result<A, PeerError> {
        let unreachable = |error: ConnectionError| PeerError::Unreachable {
            reason: error.to_string(),
        };
        let endpoint = self.endpoint.map_err(unreachable)?;
        let timeout = Duration::from_millis(u64::try_from(self.config.controller_socket_timeout_ms).unwrap_or(30_000));
        let mut kept = self.kept.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::connect(
                self.dial.as_ref(),
                (&endpoint.host, endpoint.port),
                self.id,
                CONNECT_TIMEOUT,
            )
            .await
            .map_err(unreachable)?,
        };
        let answer = connection
            .ask(key, version, request, timeout)
            .await
            .map_err(unreachable)?;
        *kept = Some(connection);
        Ok(answer)
    }
}

fn checked(code: ErrorCode) -> Result<(), PeerError> {
    match code {
        ErrorCode::NONE => Ok(()),
        ErrorCode::STALE_CONTROLLER_EPOCH => Err(PeerError::StaleControllerEpoch),
        ErrorCode::STALE_BROKER_EPOCH => Err(PeerError::StaleBrokerEpoch),
        code => Err(PeerError::Refused {
            code: code.0,
            name: code.name().to_owned(),
        }),
    }
}
