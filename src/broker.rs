//! What every request may use, in one place.

use std::sync::Arc;

use config::BrokerConfig;
use controller::ControllerHandle;

use crate::dispatch::RequestContext;
use crate::fetch_session::FetchSessionCache;
use crate::group::{GroupCoordinator, ZookeeperOffsets};
use crate::heed::Heed;
use crate::inter_broker::ToController;
use crate::metadata_cache::MetadataCache;
use crate::network::Connections;
use crate::partition::{AppendFailure, Partition, ReadFailure};
use crate::producer_ids::ProducerIds;
use crate::replica_selector::ReplicaSelector;
use crate::replicas::Replicas;
use crate::threads;

/// The broker.
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Its configuration.
    pub config: Arc<BrokerConfig>,
    /// What it knows of the cluster.
    pub metadata: Arc<MetadataCache>,
    /// The partitions that it holds.
    pub replicas: Arc<Replicas>,
    /// The controller.
    pub controller: ControllerHandle,
    /// Where consumers should read.
    pub replica_selector: ReplicaSelector,
    /// Applies what other brokers' controllers decide.
    pub heed: Arc<Heed>,
    /// Asks whoever is the controller.
    pub to_controller: Arc<ToController>,
    /// The groups that are coordinated here.
    pub groups: Arc<GroupCoordinator>,
    /// What version 0 of OffsetCommit keeps.
    pub zookeeper_offsets: ZookeeperOffsets,
    /// Incremental fetch sessions.
    pub fetch_sessions: FetchSessionCache,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// One permit for each batch that is inflated or written anew at a time.
    pub heavy_validations: Arc<tokio::sync::Semaphore>,
    /// One permit for each read that may wait for a disk: fewer than there are threads for what waits, so that others find one.
    pub disk_reads: Arc<tokio::sync::Semaphore>,
    /// Held while a topic's configuration is read, changed and written back.
    pub config_changes: tokio::sync::Mutex<()>,
}

/// A broker as a client is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Where this client reaches it.
    pub host: String,
    /// Where this client reaches it.
    pub port: i32,
    /// `broker.rack`
    pub rack: Option<String>,
}

impl Broker {
    /// A live broker as the client of a request reaches it: on the listener that the request came by. Of this broker, where no
    /// address is advertised, the one that the client is connected to.
    pub fn node(&self, context: &RequestContext, id: i32) -> Option<Node> {
        let registered = self.metadata.broker(id)?.registration;
        let rack = registered.rack;
        let listener = context.listener();
        let advertised = self.config.advertised_listeners.iter().find(|a| a.name == listener);
        let is_told_local_address = id == self.id && advertised.is_none_or(|a| a.host.is_empty());
        let endpoint = registered.endpoints.into_iter().find(|e| e.listener_name == listener)?;
        let host = match is_told_local_address {
            true => context.connection.local.ip().to_string(),
            false => endpoint.host,
        };
        Some(Node {
            id,
            host,
            port: i32::from(endpoint.port),
            rack,
        })
    }

    /// The live brokers among `ids`, each once, as the client of a request reaches them: what answers name beside new leaders (KIP-951).
    pub fn leaders(&self, context: &RequestContext, ids: impl Iterator<Item = i32>) -> Vec<Node> {
        let mut ids: Vec<i32> = ids.filter(|id| *id >= 0).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.node(context, id)).collect()
    }

    /// Every live broker that this client can reach.
    pub fn nodes(&self, context: &RequestContext) -> Vec<Node> {
        let brokers = self.metadata.brokers();
        brokers
            .iter()
            .filter_map(|b| self.node(context, b.registration.id))
            .collect()
    }

    /// Whether nobody holds the log of a partition that is here while a disk stalls.
    pub fn is_log_free(&self, topic: &str, index: i32) -> bool {
        let partition = self.replicas.get(topic, index);
        partition.is_none_or(|partition| partition.is_log_free())
    }

    /// Makes reads that may wait for a disk, where that delays nobody else. `None` when they broke off.
    pub async fn read_from_disk<T: Send + 'static>(&self, reads: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = self.disk_reads.clone().acquire_owned().await.ok()?;
        let read = threads::spawn_blocking(move || (reads(), drop(permit)).0).await;
        read.inspect_err(|error| log::error!("a read broke off: {error}")).ok()
    }

    /// Looks at why an append failed: a log directory's failure takes the directory offline.
    pub fn note_append_failure(&self, failure: &AppendFailure) {
        if let AppendFailure::Log(storage::AppendError::LogDir(failure)) = failure {
            self.replicas.log_dir_failed(failure);
        }
    }

    /// Looks at why a read failed.
    pub fn note_read_failure(&self, partition: &Partition, failure: &ReadFailure) {
        match failure {
            ReadFailure::Log(storage::ReadError::LogDir(failure)) => self.replicas.log_dir_failed(failure),
            ReadFailure::Log(
                error @ (storage::ReadError::CorruptBatch { .. } | storage::ReadError::OldRecordFormat { .. }),
            ) => {
                log::error!("{}: {error}", partition.topic_partition);
            }
            ReadFailure::Log(storage::ReadError::OffsetOutOfRange { .. }) | ReadFailure::Leader(_) => {}
        }
    }
}
