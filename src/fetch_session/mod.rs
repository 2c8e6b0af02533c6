//! Incremental fetch sessions (KIP-227): what a client fetches is remembered between its requests, so that a request names only
//! what changed and an answer carries only what is new. Kafka's `FetchSession.scala`.
//!
//! Kafka reads every partition of a session for each request. Here a session stays registered with its partitions
//! ([`crate::partition::Waiters`]), and a request reads those that changed since they were last settled; the others could add
//! nothing to its answer. [`FetchSession`] is the bookkeeping of one session, [`FetchSessionCache`] decides who is let in and who must
//! go when it is full.

mod cache;
#[cfg(test)]
mod model;
#[cfg(test)]
mod property;
mod session;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::fetch::PartitionData;
use protocol::wire::{TopicId, Utf8Bytes};

use crate::partition::{Seen, Slot, Waiters};

pub use cache::{FetchSessionCache, PARTITIONS_PER_SLOT};
pub use session::{Collected, FetchSession};

/// "No session" on the wire.
pub const INVALID_SESSION_ID: i32 = 0;
/// The epoch of a request that asks for a new session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session, or closes the one that it names.
pub const FINAL_EPOCH: i32 = -1;

/// How a request names a topic: by id from version 13, by name before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicKey {
    /// Fetch v13 and later.
    Id(TopicId),
    /// Fetch up to v12.
    Name(Utf8Bytes),
}

/// One partition as a client wants it fetched.
#[derive(Debug, Clone)]
pub struct FetchPartition {
    /// Its place in the session; before it has one, in the request.
    pub slot: Slot,
    /// The topic as the client names it.
    pub topic: TopicKey,
    /// The partition's index.
    pub partition: i32,
    /// Where to read.
    pub fetch_offset: i64,
    /// The most to return of this partition.
    pub max_bytes: i32,
    /// -1: the client does not know (KIP-320).
    pub current_leader_epoch: i32,
    /// -1: none (KIP-595).
    pub last_fetched_epoch: i32,
    /// A follower's log start offset; -1 from a consumer.
    pub log_start_offset: i64,
}

/// For whom is read: what the answers of all partitions depend on beside the partitions. Where it changes within a session, all are
/// read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchReader {
    /// Negative for a consumer.
    pub replica_id: i32,
    /// Not beyond the last stable offset.
    pub read_committed: bool,
}

impl FetchReader {
    /// Whether a broker fetches. Its sessions come before those of consumers.
    pub fn is_follower(self) -> bool {
        self.replica_id >= 0
    }
}

/// The session part of a Fetch request.
#[derive(Debug)]
pub struct SessionRequest {
    /// The request's version.
    pub version: i16,
    /// `session_id`
    pub id: i32,
    /// `session_epoch`
    pub epoch: i32,
    /// For whom.
    pub reader: FetchReader,
    /// Partitions that are new or changed; their slots count from 0.
    pub partitions: Vec<FetchPartition>,
    /// Partitions to forget.
    pub forgotten: Vec<(TopicKey, i32)>,
}

/// What a Fetch request is about, after its session was looked up.
pub enum FetchContext {
    /// The session is unknown or out of step; nothing is read.
    Error(ErrorCode),
    /// No session is wanted.
    Sessionless(Vec<FetchPartition>),
    /// A session is wanted and will be made of the answer, if there is room.
    Full {
        /// What to fetch.
        partitions: Vec<FetchPartition>,
        /// Fetch v13 or later.
        uses_topic_ids: bool,
        /// For whom.
        reader: FetchReader,
    },
    /// A session goes on.
    Incremental {
        /// The session.
        session: Arc<FetchSession>,
        /// Its epoch after this request.
        epoch: i32,
    },
}

/// What reading one partition gave.
pub struct PartitionAnswer {
    /// The topic as the client names it.
    pub topic: TopicKey,
    /// [`FetchPartition::slot`]
    pub slot: Slot,
    /// What to answer.
    pub data: PartitionData,
    /// What the read saw; `None` for an error.
    pub watched: Option<Watched>,
}

/// A partition that can be waited for.
#[derive(Clone)]
pub struct Watched {
    /// Where to wait.
    pub waiters: Arc<Waiters>,
    /// What the read saw.
    pub seen: Seen,
    /// Nothing readable lay at or after the fetch offset, and the client's log does not diverge.
    pub is_at_end: bool,
}

impl PartitionAnswer {
    fn has_records(&self) -> bool {
        self.data.records.as_ref().is_some_and(|records| !records.is_empty())
    }

    /// Whether the same request would find nothing here unless something happens to the partition. Not after an error, which is told
    /// again for as long as it lasts; not with records, which are sent again to a client that does not move on; not where `max_bytes`
    /// left some behind. So only at the end.
    fn is_exhausted(&self) -> bool {
        self.watched.as_ref().is_some_and(|watched| watched.is_at_end)
    }
}

/// The epoch that follows `epoch`: 0 opens a session, and a client counts from 1 on.
fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        ..0 => FINAL_EPOCH,
        i32::MAX => 1,
        _ => epoch + 1,
    }
}
