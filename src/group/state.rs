//! A classic group: who is in it, which generation it is in, and what the log holds of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::decision::{InitialDelay, Now, Rejection, TopicPartition};
use super::member::{Member, Protocol};
use super::memory::pending_bytes;
use super::persisted::Persisted;
use super::subscription;

/// Where a group is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// No members; offsets may be left.
    Empty,
    /// Waiting for members to (re)join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
    /// Being deleted, or led elsewhere now.
    Dead,
}

impl GroupState {
    /// The state's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }
}

/// The limits that `handle_*` decides by, from the broker's configuration.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`
    pub max_size: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds
    pub offsets_retention_ms: i64,
}

impl GroupConfig {
    /// Refuses session timeouts that the broker does not allow.
    pub fn check_session_timeout(&self, session_timeout_ms: i32) -> Result<(), Rejection> {
        if (self.min_session_timeout_ms..=self.max_session_timeout_ms).contains(&session_timeout_ms) {
            Ok(())
        } else {
            Err(Rejection::InvalidSessionTimeout)
        }
    }
}

/// The rebalance that a group in `PreparingRebalance` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rebalance {
    pub deadline_ms: i64,
    pub initial: Option<InitialDelay>,
}

/// A classic group. `handle_*` reads, `apply` and `note` change.
#[derive(Debug)]
pub struct Group {
    pub(super) group_id: Arc<str>,
    pub(super) state: GroupState,
    /// When `state` was entered; unknown for groups that a very old coordinator wrote.
    pub(super) state_timestamp_ms: Option<i64>,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol_name: Option<Arc<str>>,
    pub(super) generation_id: i32,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Group instance id to member id.
    pub(super) static_members: HashMap<Arc<str>, Arc<str>>,
    /// Member ids that were handed out, with their deadlines.
    pub(super) pending_members: BTreeMap<Arc<str>, i64>,
    /// Members of this generation that have not sent SyncGroup.
    pub(super) pending_sync: BTreeSet<Arc<str>>,
    pub(super) sync_deadline_ms: Option<i64>,
    pub(super) rebalance: Option<Rebalance>,
    pub(super) new_member_added: bool,
    pub(super) members_awaiting_join: usize,
    /// How many members support each protocol.
    pub(super) supported_protocols: HashMap<Arc<str>, usize>,
    /// What consumers are subscribed to; `None` when that cannot be known.
    pub(super) subscribed_topics: Option<BTreeSet<Arc<str>>>,
    /// Commits on their way to the log, with how many there are.
    pub(super) offsets_in_flight: HashMap<TopicPartition, usize>,
    pub(super) persisted: Persisted,
    /// What members and pending members take in memory.
    pub(super) members_bytes: usize,
    /// Never after the earliest deadline; see `next_deadline`.
    pub(super) earliest_deadline_ms: i64,
}

impl Group {
    /// A group that nothing is known of.
    pub fn new(group_id: Arc<str>, now: Now) -> Self {
        Group {
            group_id,
            state: GroupState::Empty,
            state_timestamp_ms: Some(now.timestamp_ms),
            protocol_type: None,
            protocol_name: None,
            generation_id: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending_members: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            sync_deadline_ms: None,
            rebalance: None,
            new_member_added: false,
            members_awaiting_join: 0,
            supported_protocols: HashMap::new(),
            subscribed_topics: None,
            offsets_in_flight: HashMap::new(),
            persisted: Persisted::default(),
            members_bytes: 0,
            earliest_deadline_ms: i64::MAX,
        }
    }

    /// The group's id.
    pub fn group_id(&self) -> &Arc<str> {
        &self.group_id
    }

    /// Where the group is in its life.
    pub fn state(&self) -> GroupState {
        self.state
    }

    /// The protocol type of its members, once there was one.
    pub fn protocol_type(&self) -> Option<&Arc<str>> {
        self.protocol_type.as_ref()
    }

    /// The current generation.
    pub fn generation_id(&self) -> i32 {
        self.generation_id
    }

    /// The member that assigns.
    pub fn leader(&self) -> Option<&Arc<str>> {
        self.leader.as_ref()
    }

    /// The members by member id.
    pub fn members(&self) -> &BTreeMap<Arc<str>, Member> {
        &self.members
    }

    /// What the log holds of the group.
    pub fn persisted(&self) -> &Persisted {
        &self.persisted
    }

    /// When to call `ripe` next, on the monotonic clock; `i64::MAX` is never. May be too early – heartbeats do not
    /// move it – but never too late.
    pub fn next_deadline_ms(&self) -> i64 {
        self.earliest_deadline_ms
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(super) fn can_rebalance(&self) -> bool {
        matches!(
            self.state,
            GroupState::Stable | GroupState::CompletingRebalance | GroupState::Empty
        )
    }

    pub(super) fn all_members_joined(&self) -> bool {
        self.members.len() == self.members_awaiting_join && self.pending_members.is_empty()
    }

    /// Whether members with these protocols fit into the group.
    pub(super) fn supports_protocols(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| {
                self.supported_protocols.get(&protocol.name).copied().unwrap_or(0) == self.members.len()
            })
    }

    /// The longest rebalance timeout of the members that `keep` selects.
    pub(super) fn rebalance_timeout_ms(&self, keep: impl Fn(&Member) -> bool) -> i64 {
        let longest = self
            .members
            .values()
            .filter(|member| keep(member))
            .map(|member| member.rebalance_timeout_ms)
            .max();
        i64::from(longest.unwrap_or(0).max(0))
    }

    /// The protocol that most of these members prefer among those that all of them support.
    pub(super) fn select_protocol<'a>(&self, members: &[&'a Member]) -> Option<&'a Arc<str>> {
        let supported_by_all = |name: &str| members.iter().all(|member| member.metadata(name).is_some());
        let candidates: Vec<&Arc<str>> = members
            .first()?
            .protocols
            .iter()
            .map(|protocol| &protocol.name)
            .filter(|name| supported_by_all(name))
            .collect();
        let mut votes = vec![0usize; candidates.len()];
        for member in members {
            let choice = member.vote(|name| candidates.iter().any(|candidate| ***candidate == *name))?;
            votes[candidates.iter().position(|candidate| *candidate == choice)?] += 1;
        }
        // Equal votes: the order of the first member decides, so that the choice does not depend on chance.
        let most = votes.iter().copied().max()?;
        votes
            .iter()
            .position(|count| *count == most)
            .map(|index| candidates[index])
    }

    /// Refuses member ids that the group does not know and static members that were replaced.
    pub(super) fn validate_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<&Member, Rejection> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                Some(current) if **current != *member_id => return Err(Rejection::FencedInstanceId),
                Some(_) => {}
                None => return Err(Rejection::UnknownMemberId),
            }
        }
        self.members.get(member_id).ok_or(Rejection::UnknownMemberId)
    }

    pub(super) fn add(&mut self, member: Member, protocol_type: &Arc<str>) {
        if let Some(instance_id) = &member.instance_id {
            self.static_members
                .insert(instance_id.clone(), member.member_id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.member_id.clone());
        }
        self.remove_pending(&member.member_id);
        self.members_bytes += member.memory_bytes();
        self.members_awaiting_join += usize::from(member.awaiting_join.is_some());
        self.count_protocols(&member.protocols);
        self.watch(member.session_deadline_ms);
        self.members.insert(member.member_id.clone(), member);
    }

    pub(super) fn remove(&mut self, member_id: &str) {
        self.remove_pending(member_id);
        self.synced(member_id);
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        self.members_bytes -= member.memory_bytes();
        self.uncount_protocols(&member.protocols);
        self.members_awaiting_join -= usize::from(member.awaiting_join.is_some());
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    pub(super) fn add_pending(&mut self, member_id: Arc<str>, deadline_ms: i64) {
        self.members_bytes += pending_bytes(&member_id);
        if let Some((again, _)) = self.pending_members.remove_entry(&member_id) {
            self.members_bytes -= pending_bytes(&again);
        }
        self.pending_members.insert(member_id, deadline_ms);
        self.watch(deadline_ms);
    }

    pub(super) fn remove_pending(&mut self, member_id: &str) {
        if self.pending_members.remove(member_id).is_some() {
            self.members_bytes -= pending_bytes(member_id);
        }
    }

    /// Notes that a member has sent SyncGroup.
    pub(super) fn synced(&mut self, member_id: &str) {
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            self.sync_deadline_ms = None;
        }
    }

    pub(super) fn set_awaiting_join(&mut self, member_id: &str, waiter: Option<super::decision::Waiter>) {
        if let Some(member) = self.members.get_mut(member_id) {
            self.members_awaiting_join -= usize::from(member.awaiting_join.is_some());
            self.members_awaiting_join += usize::from(waiter.is_some());
            member.awaiting_join = waiter;
        }
    }

    pub(super) fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported_protocols.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    pub(super) fn uncount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported_protocols.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported_protocols.remove(&protocol.name);
                }
            }
        }
    }

    pub(super) fn transition_to(&mut self, state: GroupState, now: Now) {
        self.state = state;
        self.state_timestamp_ms = Some(now.timestamp_ms);
    }

    /// Lets `next_deadline_ms` be no later than this.
    pub(super) fn watch(&mut self, deadline_ms: i64) {
        self.earliest_deadline_ms = self.earliest_deadline_ms.min(deadline_ms);
    }

    /// What the members' metadata says about their topics; see `subscription`.
    pub(super) fn compute_subscribed_topics(&self) -> Option<BTreeSet<Arc<str>>> {
        if self.protocol_type.as_deref() != Some(subscription::CONSUMER_PROTOCOL_TYPE) {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol_name = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            subscription::topics(member.metadata(protocol_name)?, &mut topics)?;
        }
        Some(topics)
    }
}
