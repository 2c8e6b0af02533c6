//! What groups hold in memory for their members, and its limit.
//!
//! Nobody else limits it: a request's memory is free again when its group has its copy, and a member stays when its client
//! has gone. Loading takes what the log holds, whatever the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::decision::{Assignments, Rejection};
use super::join::Join;
use super::member::{Member, Protocol};
use super::record::{GroupMetadata, PersistedMember};
use super::state::{Group, GroupState};

/// What all groups of a broker may hold. What is written and what is current share their bytes while a group is stable and
/// count twice, so this is room for 128 MiB of subscriptions and assignments.
pub const GROUP_MEMORY_BYTES: usize = 256 * 1024 * 1024;

/// What a group takes without members: itself, its lock, its places in maps and among the timers.
const GROUP_BYTES: usize = 1024;
/// What a member takes beside its strings and bytes; as much is counted for its description in the log.
const MEMBER_BYTES: usize = 512;
/// What a member id takes that was handed out, beside its string.
const PENDING_MEMBER_BYTES: usize = 128;
/// What a protocol or an assignment takes beside its strings and bytes.
const ENTRY_BYTES: usize = 128;

/// The memory that all groups share.
pub(super) struct GroupMemory {
    held_bytes: AtomicUsize,
    limit_bytes: usize,
}

impl GroupMemory {
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(GroupMemory {
            held_bytes: AtomicUsize::new(0),
            limit_bytes,
        })
    }

    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Nothing yet.
    pub fn share(self: &Arc<Self>) -> GroupShare {
        GroupShare {
            memory: self.clone(),
            bytes: 0,
        }
    }

    /// Room for `bytes` more. What does not grow finds room always: members must be able to rejoin.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE, because it is not the group's fault and passes: clients back off, look for the coordinator
    /// and try again. GROUP_MAX_SIZE_REACHED would say what is not true, and ends a Java consumer for good.
    pub fn room_for(self: &Arc<Self>, bytes: usize) -> Result<GroupShare, Rejection> {
        let mut share = self.share();
        share.set(bytes);
        if bytes == 0 || self.held_bytes() <= self.limit_bytes {
            return Ok(share);
        }
        log::warn!("a group may not grow: the groups of this broker hold as much memory as they may");
        Err(Rejection::CoordinatorNotAvailable)
    }
}

/// What somebody holds of the groups' memory, counted until it is dropped.
pub(super) struct GroupShare {
    memory: Arc<GroupMemory>,
    bytes: usize,
}

impl GroupShare {
    /// Counts `bytes` instead of what it counted.
    pub fn set(&mut self, bytes: usize) {
        let held = &self.memory.held_bytes;
        if bytes >= self.bytes {
            held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for GroupShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn protocols_bytes(protocols: &[Protocol]) -> usize {
    let bytes = |protocol: &Protocol| ENTRY_BYTES + protocol.name.len() + protocol.metadata.len();
    protocols.iter().map(bytes).sum()
}

fn strings_bytes(member_id: &str, instance_id: Option<&str>, client_id: &str, client_host: &str) -> usize {
    MEMBER_BYTES + member_id.len() + instance_id.map_or(0, str::len) + client_id.len() + client_host.len()
}

/// What a member id that was handed out takes.
pub(super) fn pending_bytes(member_id: &str) -> usize {
    PENDING_MEMBER_BYTES + member_id.len()
}

/// What assignments take.
pub(super) fn assignments_bytes(assignments: &Assignments) -> usize {
    let bytes = |(member_id, assignment): (&Arc<str>, &Bytes)| ENTRY_BYTES + member_id.len() + assignment.len();
    assignments.iter().map(bytes).sum()
}

impl Join {
    /// What the member takes that this makes.
    pub(super) fn memory_bytes(&self) -> usize {
        let member_id = match self.member_id.is_empty() {
            true => &self.new_member_id,
            false => &self.member_id,
        };
        strings_bytes(
            member_id,
            self.instance_id.as_deref(),
            &self.client_id,
            &self.client_host,
        ) + protocols_bytes(&self.protocols)
    }
}

impl Member {
    /// What it takes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        strings_bytes(
            &self.member_id,
            self.instance_id.as_deref(),
            &self.client_id,
            &self.client_host,
        ) + protocols_bytes(&self.protocols)
            + self.assignment.len()
    }
}

impl GroupMetadata {
    /// What it takes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = |member: &PersistedMember| {
            strings_bytes(
                &member.member_id,
                member.instance_id.as_deref(),
                &member.client_id,
                &member.client_host,
            ) + member.subscription.len()
                + member.assignment.len()
        };
        self.members.iter().map(bytes).sum()
    }
}

impl Group {
    /// What the group and its members take in memory, committed offsets not included.
    pub(super) fn memory_bytes(&self) -> usize {
        GROUP_BYTES + self.members_bytes + self.persisted.group_bytes()
    }

    /// How much more the group would take with this member in it.
    pub(super) fn grows_by_join(&self, join: &Join) -> usize {
        let same_instance = join.instance_id.as_ref().and_then(|id| self.static_members.get(id));
        let present = same_instance
            .or(Some(&join.member_id))
            .and_then(|member_id| self.members.get(member_id));
        let present = present.map_or(0, |member| member.memory_bytes() - member.assignment.len());
        join.memory_bytes().saturating_sub(present)
    }

    /// How much more the group would take with these assignments.
    pub(super) fn grows_by_assignments(&self, assignments: &Assignments) -> usize {
        if assignments.is_empty() {
            return 0;
        }
        let present = |member: &Member| ENTRY_BYTES + member.member_id.len() + member.assignment.len();
        assignments_bytes(assignments).saturating_sub(self.members.values().map(present).sum())
    }

    /// Changes a member, and counts what it takes afterwards.
    pub(super) fn change_member(&mut self, member_id: &str, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(member_id) {
            let before = member.memory_bytes();
            change(member);
            self.members_bytes = self.members_bytes - before + member.memory_bytes();
        }
    }

    /// Nothing is left of it: no members, nobody who may become one, nothing in the log, nothing on its way there.
    pub(super) fn is_vacant(&self) -> bool {
        self.state == GroupState::Empty
            && self.members.is_empty()
            && self.pending_members.is_empty()
            && self.offsets_in_flight.is_empty()
            && self.persisted.is_empty()
    }
}
