//! One member of a classic group.

use std::sync::Arc;

use bytes::Bytes;

use super::decision::{Note, Now, Waiter};

/// One of the protocols (assignors, for consumers) that a member supports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// The protocol's name.
    pub name: Arc<str>,
    /// Opaque to the broker; the subscription, for consumers.
    pub metadata: Bytes,
}

/// A member: what it told about itself, what it was assigned, and what it waits for.
#[derive(Debug, Clone)]
pub struct Member {
    /// Given by the coordinator.
    pub member_id: Arc<str>,
    /// Set for static members (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address in Java's notation.
    pub client_host: Arc<str>,
    /// How long a rebalance waits for it to rejoin.
    pub rebalance_timeout_ms: i32,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// In the order of its preference; no name twice.
    pub protocols: Vec<Protocol>,
    /// What the leader gave it in the current generation.
    pub assignment: Bytes,
    /// It has joined but was in no generation yet.
    pub is_new: bool,
    /// Its parked JoinGroup.
    pub awaiting_join: Option<Waiter>,
    /// Its parked SyncGroup.
    pub awaiting_sync: Option<Waiter>,
    /// The end of its session unless it is heard of, on the monotonic clock.
    pub session_deadline_ms: i64,
}

impl Member {
    /// The metadata for a protocol; `None` if the member does not support it.
    pub fn metadata(&self, protocol_name: &str) -> Option<&Bytes> {
        self.protocols
            .iter()
            .find(|protocol| &*protocol.name == protocol_name)
            .map(|protocol| &protocol.metadata)
    }

    /// When the member counts as failed, or `None` while it cannot: a member whose request is parked here cannot send
    /// heartbeats. Only a new member can fail while its JoinGroup is parked, because clients that give up on a long
    /// rebalance and try again would fill the group with members that nobody speaks for.
    pub fn expires_at_ms(&self) -> Option<i64> {
        let parked = self.awaiting_join.is_some() || self.awaiting_sync.is_some();
        (self.is_new || !parked).then_some(self.session_deadline_ms)
    }

    /// The first of its protocols that is among the candidates.
    pub fn vote(&self, is_candidate: impl Fn(&str) -> bool) -> Option<&Arc<str>> {
        self.protocols
            .iter()
            .map(|protocol| &protocol.name)
            .find(|name| is_candidate(name))
    }

    /// The member was heard of: its session begins anew.
    pub fn renew_session(&self, now: Now) -> Note {
        let deadline_ms = now.monotonic_ms + i64::from(self.session_timeout_ms);
        Note::SessionRenewed {
            member_id: self.member_id.clone(),
            deadline_ms,
        }
    }
}
