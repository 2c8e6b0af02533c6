//! How a group changes: `apply` for what the log holds, `note` for everything else.

use std::sync::Arc;

use super::decision::{Assignments, Note, Now, TopicPartition, Waiter};
use super::member::{Member, Protocol};
use super::record::Record;
use super::state::{Group, GroupState, Rebalance};

impl Group {
    /// Takes a record that the log holds at `log_offset`: right after the append, and when loading. It is visible
    /// once `Note::Committed` has passed it.
    pub fn apply(&mut self, record: Record, log_offset: i64) {
        self.persisted.apply(record, log_offset);
    }

    /// Takes a change to what is not persisted.
    pub fn note(&mut self, note: Note) {
        match note {
            Note::PendingMemberAdded { member_id, deadline_ms } => self.add_pending(member_id, deadline_ms),
            Note::PendingMemberRemoved(member_id) => self.remove_pending(&member_id),
            Note::MemberAdded { member, protocol_type } => {
                // More members are coming, so a first rebalance may wait longer.
                self.new_member_added |= self.state == GroupState::PreparingRebalance && self.generation_id == 0;
                self.add(*member, &protocol_type);
            }
            Note::MemberUpdated {
                member_id,
                protocols,
                rebalance_timeout_ms,
                session_timeout_ms,
                waiter,
            } => {
                self.update_member(&member_id, protocols, rebalance_timeout_ms, session_timeout_ms);
                self.set_awaiting_join(&member_id, waiter);
            }
            Note::MemberRemoved(member_id) => self.remove(&member_id),
            Note::StaticMemberReplaced {
                instance_id,
                old_member_id,
                new_member_id,
                deadline_ms,
            } => {
                self.rename_static(instance_id, &old_member_id, new_member_id, deadline_ms);
            }
            Note::SessionRenewed { member_id, deadline_ms } => self.set_session_deadline(&member_id, deadline_ms),
            Note::SyncAwaited { member_id, waiter } => self.await_sync(&member_id, waiter),
            Note::Synced(member_id) => self.synced(&member_id),
            Note::RebalancePrepared {
                deadline_ms,
                initial,
                now,
            } => {
                self.enter_rebalance(Rebalance { deadline_ms, initial }, now);
            }
            Note::JoinExtended { deadline_ms, initial } => self.extend_rebalance(Rebalance { deadline_ms, initial }),
            Note::GenerationStarted {
                leader,
                protocol_name,
                sync_deadline_ms,
                now,
            } => {
                self.leader = Some(leader);
                self.enter_generation(protocol_name, sync_deadline_ms, now);
            }
            Note::GenerationEmptied { now } => {
                self.protocol_name = None;
                self.next_generation(GroupState::Empty, now);
            }
            Note::AssignmentTaken { assignments, now } => self.take_assignments(&assignments, now),
            Note::JoinAnswered(member_id) => self.set_awaiting_join(&member_id, None),
            Note::OffsetsPending(partitions) => self.add_in_flight(partitions),
            Note::OffsetsSettled(partitions) => self.remove_in_flight(&partitions),
            Note::Dead { now } => {
                self.rebalance = None;
                self.transition_to(GroupState::Dead, now);
            }
            Note::Revived { now } => {
                self.transition_to(GroupState::Empty, now);
                self.earliest_deadline_ms = self.earliest_of_all();
            }
            Note::Committed { high_watermark } => self.persisted.commit_through(high_watermark),
        }
    }

    fn await_sync(&mut self, member_id: &str, waiter: Waiter) {
        self.synced(member_id);
        if let Some(member) = self.members.get_mut(member_id) {
            member.awaiting_sync = Some(waiter);
        }
    }

    fn extend_rebalance(&mut self, rebalance: Rebalance) {
        self.new_member_added &= rebalance.initial.is_none();
        self.rebalance = Some(rebalance);
        self.watch(rebalance.deadline_ms);
    }

    fn take_assignments(&mut self, assignments: &Assignments, now: Now) {
        for (member_id, member) in &mut self.members {
            let assignment = assignments.get(member_id).cloned().unwrap_or_default();
            self.members_bytes = self.members_bytes - member.assignment.len() + assignment.len();
            member.assignment = assignment;
        }
        self.end_syncs(now);
        self.transition_to(GroupState::Stable, now);
    }

    fn update_member(
        &mut self,
        member_id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        let mut before = None;
        self.change_member(member_id, |member| {
            member.rebalance_timeout_ms = rebalance_timeout_ms;
            member.session_timeout_ms = session_timeout_ms;
            before = Some(std::mem::replace(&mut member.protocols, protocols.clone()));
        });
        if let Some(before) = before {
            self.uncount_protocols(&before);
            self.count_protocols(&protocols);
        }
    }

    fn rename_static(&mut self, instance_id: Arc<str>, old_id: &str, new_id: Arc<str>, deadline_ms: i64) {
        self.set_awaiting_join(old_id, None);
        let Some(mut member) = self.members.remove(old_id) else {
            return;
        };
        self.members_bytes = self.members_bytes - old_id.len() + new_id.len();
        member.member_id = new_id.clone();
        member.awaiting_sync = None;
        member.session_deadline_ms = deadline_ms;
        self.members.insert(new_id.clone(), member);
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        self.static_members.insert(instance_id, new_id);
        self.watch(deadline_ms);
    }

    /// The deadline mostly moves away, and `earliest_deadline_ms` stays a lower bound; it moves closer where the session
    /// timeout has become shorter.
    fn set_session_deadline(&mut self, member_id: &str, deadline_ms: i64) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.session_deadline_ms = deadline_ms;
            self.watch(deadline_ms);
        }
    }

    fn enter_rebalance(&mut self, rebalance: Rebalance, now: Now) {
        if self.state == GroupState::CompletingRebalance {
            // The assignment did not come about: nobody has one, nobody waits for one.
            for member in self.members.values_mut() {
                self.members_bytes -= std::mem::take(&mut member.assignment).len();
            }
            self.end_syncs(now);
        }
        self.pending_sync.clear();
        self.sync_deadline_ms = None;
        self.rebalance = Some(rebalance);
        self.transition_to(GroupState::PreparingRebalance, now);
        self.watch(rebalance.deadline_ms);
    }

    fn enter_generation(&mut self, protocol_name: Arc<str>, sync_deadline_ms: i64, now: Now) {
        self.protocol_name = Some(protocol_name);
        self.next_generation(GroupState::CompletingRebalance, now);
        self.start_sessions(now, |_| true);
        self.members_awaiting_join = 0;
        for member in self.members.values_mut() {
            member.awaiting_join = None;
            member.is_new = false;
        }
        self.pending_sync = self.members.keys().cloned().collect();
        self.sync_deadline_ms = Some(sync_deadline_ms);
        self.watch(sync_deadline_ms);
    }

    fn add_in_flight(&mut self, partitions: Vec<TopicPartition>) {
        for partition in partitions {
            *self.offsets_in_flight.entry(partition).or_default() += 1;
        }
    }

    fn remove_in_flight(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(count) = self.offsets_in_flight.get_mut(partition) {
                *count -= 1;
                if *count == 0 {
                    self.offsets_in_flight.remove(partition);
                }
            }
        }
    }

    fn next_generation(&mut self, state: GroupState, now: Now) {
        self.generation_id += 1;
        self.subscribed_topics = self.compute_subscribed_topics();
        self.rebalance = None;
        self.pending_sync.clear();
        self.sync_deadline_ms = None;
        self.transition_to(state, now);
    }

    /// Members whose SyncGroup is answered could not send heartbeats while it was parked: their sessions start anew.
    fn end_syncs(&mut self, now: Now) {
        self.start_sessions(now, |member| member.awaiting_sync.is_some());
        for member in self.members.values_mut() {
            member.awaiting_sync = None;
        }
    }

    pub(super) fn start_sessions(&mut self, now: Now, of: impl Fn(&Member) -> bool) {
        let mut earliest = i64::MAX;
        for member in self.members.values_mut().filter(|member| of(member)) {
            member.session_deadline_ms = now.monotonic_ms + i64::from(member.session_timeout_ms);
            earliest = earliest.min(member.session_deadline_ms);
        }
        self.watch(earliest);
    }
}
