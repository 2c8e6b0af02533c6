//! Names of topics that mean something to the broker.

/// Where consumer groups keep their offsets and members.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// Where transactions are kept. Not used yet, but reserved as in Kafka.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// Where Kafka's Raft controllers keep theirs. No topic of clients, and never made here.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";
