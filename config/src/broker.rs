//! The typed configuration of the broker.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::Definition;
use crate::listener::{AdvertisedListener, Listener};
use crate::topic::TopicDefaults;
use crate::typed::typed_config;
use crate::value::Value;

typed_config! {
    /// The configuration of the broker, complete and validated. A field's name is its key's, with `_` for `.`; its type is
    /// the key's type. Keys of what later versions bring have no field yet; [`BrokerConfig::values`] holds every key.
    #[derive(Debug, Clone, PartialEq)]
    pub struct BrokerConfig {
        auto_create_topics_enable: bool = "auto.create.topics.enable",
        auto_leader_rebalance_enable: bool = "auto.leader.rebalance.enable",
        background_threads: i32 = "background.threads",
        broker_id_generation_enable: bool = "broker.id.generation.enable",
        broker_rack: Option<String> = "broker.rack",
        connections_max_idle_ms: i64 = "connections.max.idle.ms",
        controlled_shutdown_enable: bool = "controlled.shutdown.enable",
        controlled_shutdown_max_retries: i32 = "controlled.shutdown.max.retries",
        controlled_shutdown_retry_backoff_ms: i64 = "controlled.shutdown.retry.backoff.ms",
        controller_socket_timeout_ms: i32 = "controller.socket.timeout.ms",
        default_replication_factor: i32 = "default.replication.factor",
        delete_topic_enable: bool = "delete.topic.enable",
        fetch_max_bytes: i32 = "fetch.max.bytes",
        group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms",
        group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms",
        group_max_size: i32 = "group.max.size",
        group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms",
        inter_broker_protocol_version: String = "inter.broker.protocol.version",
        leader_imbalance_check_interval_seconds: i64 = "leader.imbalance.check.interval.seconds",
        leader_imbalance_per_broker_percentage: i32 = "leader.imbalance.per.broker.percentage",
        log_cleaner_backoff_ms: i64 = "log.cleaner.backoff.ms",
        log_cleaner_dedupe_buffer_size: i64 = "log.cleaner.dedupe.buffer.size",
        log_cleaner_enable: bool = "log.cleaner.enable",
        log_cleaner_io_buffer_load_factor: f64 = "log.cleaner.io.buffer.load.factor",
        log_cleaner_io_buffer_size: i32 = "log.cleaner.io.buffer.size",
        log_cleaner_io_max_bytes_per_second: f64 = "log.cleaner.io.max.bytes.per.second",
        log_cleaner_threads: i32 = "log.cleaner.threads",
        log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms",
        log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms",
        log_flush_start_offset_checkpoint_interval_ms: i32 = "log.flush.start.offset.checkpoint.interval.ms",
        log_initial_task_delay_ms: i64 = "log.initial.task.delay.ms",
        log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms",
        max_connection_creation_rate: i32 = "max.connection.creation.rate",
        max_connections: i32 = "max.connections",
        max_connections_per_ip: i32 = "max.connections.per.ip",
        max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots",
        max_request_partition_size_limit: i32 = "max.request.partition.size.limit",
        message_max_bytes: i32 = "message.max.bytes",
        min_insync_replicas: i32 = "min.insync.replicas",
        num_io_threads: i32 = "num.io.threads",
        num_network_threads: i32 = "num.network.threads",
        num_partitions: i32 = "num.partitions",
        num_recovery_threads_per_data_dir: i32 = "num.recovery.threads.per.data.dir",
        num_replica_fetchers: i32 = "num.replica.fetchers",
        offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes",
        offsets_commit_required_acks: i16 = "offsets.commit.required.acks",
        offsets_commit_timeout_ms: i32 = "offsets.commit.timeout.ms",
        offsets_load_buffer_size: i32 = "offsets.load.buffer.size",
        offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms",
        offsets_retention_minutes: i32 = "offsets.retention.minutes",
        offsets_topic_compression_codec: i32 = "offsets.topic.compression.codec",
        offsets_topic_num_partitions: i32 = "offsets.topic.num.partitions",
        offsets_topic_replication_factor: i16 = "offsets.topic.replication.factor",
        offsets_topic_segment_bytes: i32 = "offsets.topic.segment.bytes",
        producer_id_expiration_check_interval_ms: i32 = "producer.id.expiration.check.interval.ms",
        producer_id_expiration_ms: i32 = "producer.id.expiration.ms",
        queued_max_request_bytes: i64 = "queued.max.request.bytes",
        queued_max_requests: i32 = "queued.max.requests",
        replica_fetch_backoff_ms: i32 = "replica.fetch.backoff.ms",
        replica_fetch_max_bytes: i32 = "replica.fetch.max.bytes",
        replica_fetch_min_bytes: i32 = "replica.fetch.min.bytes",
        replica_fetch_response_max_bytes: i32 = "replica.fetch.response.max.bytes",
        replica_fetch_wait_max_ms: i32 = "replica.fetch.wait.max.ms",
        replica_high_watermark_checkpoint_interval_ms: i64 = "replica.high.watermark.checkpoint.interval.ms",
        replica_lag_time_max_ms: i64 = "replica.lag.time.max.ms",
        replica_selector_class: Option<String> = "replica.selector.class",
        replica_socket_receive_buffer_bytes: i32 = "replica.socket.receive.buffer.bytes",
        replica_socket_timeout_ms: i32 = "replica.socket.timeout.ms",
        request_timeout_ms: i32 = "request.timeout.ms",
        reserved_broker_max_id: i32 = "reserved.broker.max.id",
        socket_connection_setup_timeout_max_ms: i64 = "socket.connection.setup.timeout.max.ms",
        socket_connection_setup_timeout_ms: i64 = "socket.connection.setup.timeout.ms",
        socket_listen_backlog_size: i32 = "socket.listen.backlog.size",
        socket_receive_buffer_bytes: i32 = "socket.receive.buffer.bytes",
        socket_request_max_bytes: i32 = "socket.request.max.bytes",
        socket_send_buffer_bytes: i32 = "socket.send.buffer.bytes",
        transaction_abort_timed_out_transaction_cleanup_interval_ms: i32 =
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        transaction_max_timeout_ms: i32 = "transaction.max.timeout.ms",
        transaction_partition_verification_enable: bool = "transaction.partition.verification.enable",
        transaction_remove_expired_transaction_cleanup_interval_ms: i32 =
            "transaction.remove.expired.transaction.cleanup.interval.ms",
        transaction_state_log_load_buffer_size: i32 = "transaction.state.log.load.buffer.size",
        transaction_state_log_min_isr: i32 = "transaction.state.log.min.isr",
        transaction_state_log_num_partitions: i32 = "transaction.state.log.num.partitions",
        transaction_state_log_replication_factor: i16 = "transaction.state.log.replication.factor",
        transaction_state_log_segment_bytes: i32 = "transaction.state.log.segment.bytes",
        transactional_id_expiration_ms: i32 = "transactional.id.expiration.ms",
        unclean_leader_election_enable: bool = "unclean.leader.election.enable",
        unclean_leader_election_interval_ms: i64 = "unclean.leader.election.interval.ms",
        zookeeper_connect: Option<String> = "zookeeper.connect",
        zookeeper_max_in_flight_requests: i32 = "zookeeper.max.in.flight.requests",
        zookeeper_session_timeout_ms: i32 = "zookeeper.session.timeout.ms",
        zookeeper_set_acl: bool = "zookeeper.set.acl",
    }
    derived Rest {
        /// `broker.id`, or `node.id` in its place. `None` where the id is generated (-1): an id found in `meta.properties`
        /// wins; otherwise the lowest free one above `reserved.broker.max.id`, see [`BrokerConfig::first_generated_id`].
        broker_id: Option<i32>,
        /// Where to accept connections: `listeners` without those that `controller.listener.names` names.
        listeners: Vec<Listener>,
        /// What clients are told, from `advertised.listeners`; empty where that is not set: then each client is told the local
        /// address of its own connection.
        advertised_listeners: Vec<AdvertisedListener>,
        /// The listener that other brokers use: `inter.broker.listener.name`, or the one named after
        /// `security.inter.broker.protocol`.
        inter_broker_listener_name: String,
        /// `log.dirs`, or `log.dir` in its place; never empty, without duplicates.
        log_dirs: Vec<PathBuf>,
        /// Where the embedded metadata store keeps its file: `metadata.log.dir`, or the first of `log.dirs`.
        metadata_log_dir: PathBuf,
        /// `max.connections.per.ip.overrides`: a host name or an address, and how many connections it may have.
        max_connections_per_ip_overrides: BTreeMap<String, i32>,
        /// `zookeeper.connection.timeout.ms`, or `zookeeper.session.timeout.ms` in its place.
        zookeeper_connection_timeout_ms: i32,
        /// What a topic has that overrides nothing.
        topic_defaults: Arc<TopicDefaults>,
        /// Every key with its value: Kafka's, those of a listener (`listener.name.…`), and unknown ones that were let through.
        values: BTreeMap<String, ConfigValue>,
    }
}

/// The value of one key and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigValue {
    /// What is known of the key; `None` for an unknown one, which counts as sensitive as in Kafka.
    pub definition: Option<&'static Definition>,
    /// The value in force.
    pub value: Value,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// Where a value comes from, first what counts most (Kafka's `DescribeConfigsResponse.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigSource {
    /// An override of one topic.
    DynamicTopic,
    /// Changed at run time for one broker.
    DynamicBroker,
    /// Changed at run time for all brokers.
    DynamicDefaultBroker,
    /// What the broker was started with.
    StaticBroker,
    /// The key's default.
    Default,
}

impl ConfigSource {
    /// The number in a DescribeConfigs response.
    pub const fn wire_id(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
        }
    }
}

impl fmt::Display for ConfigSource {
    /// As the Java client names it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
        })
    }
}

/// What [`BrokerConfig`] works out from several keys, handed over by the loader.
pub(crate) struct Derived {
    pub(crate) broker_id: Option<i32>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) advertised_listeners: Vec<AdvertisedListener>,
    pub(crate) inter_broker_listener_name: String,
    pub(crate) log_dirs: Vec<PathBuf>,
    pub(crate) metadata_log_dir: PathBuf,
    pub(crate) max_connections_per_ip_overrides: BTreeMap<String, i32>,
    pub(crate) zookeeper_connection_timeout_ms: i32,
}

impl BrokerConfig {
    pub(crate) fn new(values: BTreeMap<String, ConfigValue>, derived: Derived, topic_defaults: TopicDefaults) -> Self {
        let rest = Rest {
            broker_id: derived.broker_id,
            listeners: derived.listeners,
            advertised_listeners: derived.advertised_listeners,
            inter_broker_listener_name: derived.inter_broker_listener_name,
            log_dirs: derived.log_dirs,
            metadata_log_dir: derived.metadata_log_dir,
            max_connections_per_ip_overrides: derived.max_connections_per_ip_overrides,
            zookeeper_connection_timeout_ms: derived.zookeeper_connection_timeout_ms,
            topic_defaults: Arc::new(topic_defaults),
            // Moved in below, after the fields have been read from them.
            values: BTreeMap::new(),
        };
        let config = Self::assemble(|key| &values[key].value, rest);
        Self { values, ..config }
    }

    /// The lowest id that is generated where `broker.id` is -1: one above `reserved.broker.max.id`, as in Kafka.
    pub fn first_generated_id(&self) -> i32 {
        self.reserved_broker_max_id.saturating_add(1)
    }

    /// Keeps everything in one directory, whatever was configured (`--ephemeral`).
    pub fn use_directory(&mut self, directory: &Path) {
        self.log_dirs = vec![directory.to_path_buf()];
        self.metadata_log_dir = directory.to_path_buf();
        let shown = directory.display().to_string();
        for key in ["log.dirs", "metadata.log.dir"] {
            if let Some(entry) = self.values.get_mut(key) {
                (entry.value, entry.source) = (Value::String(shown.clone()), ConfigSource::StaticBroker);
            }
        }
    }

    /// Whether a key was set by whoever started the broker.
    pub fn is_set(&self, key: &str) -> bool {
        self.values
            .get(key)
            .is_some_and(|value| value.source != ConfigSource::Default)
    }

    /// How many replicas `__consumer_offsets` gets when it is created. Kafka's default of 3 asks for three brokers; where
    /// nobody set the key and fewer brokers are alive, those are enough, so that one broker alone can serve groups.
    pub fn offsets_topic_replication_factor_for(&self, alive_brokers: usize) -> i16 {
        self.internal_replication_factor(
            "offsets.topic.replication.factor",
            self.offsets_topic_replication_factor,
            alive_brokers,
        )
    }

    /// How many replicas `__transaction_state` gets when it is created; as for `__consumer_offsets`.
    pub fn transaction_state_log_replication_factor_for(&self, alive_brokers: usize) -> i16 {
        let key = "transaction.state.log.replication.factor";
        self.internal_replication_factor(key, self.transaction_state_log_replication_factor, alive_brokers)
    }

    fn internal_replication_factor(&self, key: &str, configured: i16, alive_brokers: usize) -> i16 {
        if self.is_set(key) {
            return configured;
        }
        configured.min(i16::try_from(alive_brokers.max(1)).unwrap_or(i16::MAX))
    }
}

impl Default for BrokerConfig {
    /// Kafka's defaults throughout.
    fn default() -> Self {
        match crate::load::load(Vec::new(), crate::load::Strictness::Lenient) {
            Ok(loaded) => loaded.config,
            Err(errors) => panic!("the defaults contradict each other: {errors:?}"),
        }
    }
}
