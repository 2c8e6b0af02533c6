//! The group coordinator: classic consumer groups and committed offsets.
//!
//! The core is [`Group`], plain data without clock, socket or lock, in the one shape of every core here: `handle_*` reads
//! and plans, `apply` takes what the log holds, `note` takes everything else, `ripe` and `next_deadline_ms` stand for
//! timers.

mod batch;
mod cell;
mod coordinator;
mod coordinator_config;
mod decision;
mod describe;
mod expiration;
mod heartbeat;
mod join;
mod leave;
mod load;
mod loading;
mod member;
mod memory;
mod names;
mod note;
mod offsets;
mod offsets_log;
mod persisted;
mod rebalance;
mod record;
mod settle;
mod state;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod timers;
pub mod wire;
mod writer;
mod zookeeper_offsets;

pub use coordinator::{GroupCoordinator, MAX_GROUPS};
pub use coordinator_config::CoordinatorConfig;
pub use decision::{
    Assignments, Completion, Decision, Effect, InitialDelay, JoinAnswer, JoinedMember, Note, Now, Rejection,
    StaticReplacement, SyncAnswer, TopicPartition, Waiter,
};
pub use describe::{GroupDescription, GroupListing, MemberDescription};
pub use join::{Join, MAX_PENDING_MEMBERS, MAX_PROTOCOLS, MAX_PROTOCOLS_BYTES, NEW_MEMBER_JOIN_TIMEOUT_MS};
pub use leave::Leaver;
pub use member::{Member, Protocol};
pub use memory::GROUP_MEMORY_BYTES;
pub use offsets::{FetchedOffset, OffsetCommit, utf16_length};
pub use offsets_log::{BoxFuture, LedPartition, OffsetsLog, OffsetsLogError};
pub use persisted::Persisted;
pub use rebalance::Ripe;
pub use record::{
    DecodedRecord, EncodedRecord, GroupMetadata, OffsetAndMetadata, PersistedMember, Record, RecordError,
};
pub use record::{decode, encode};
pub use state::{Group, GroupConfig, GroupState};
pub use subscription::CONSUMER_PROTOCOL_TYPE;
pub use sync::Sync;
pub use zookeeper_offsets::{MAX_GROUPS_IN_ZNODES, ZookeeperOffsets, ZookeeperOffsetsError};

/// The generation of a group that has none, in answers that refuse.
pub const NO_GENERATION: i32 = -1;
