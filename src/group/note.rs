//! How a group changes: `apply` for what the log holds, `note` for everything else.

use super::decision::{Note, Now};
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
            Note::PendingMemberAdded { member_id, deadline_ms } => {
                self.pending_members.insert(member_id, deadline_ms);
                self.watch(deadline_ms);
            }
            Note::PendingMemberRemoved(member_id) => {
                self.pending_members.remove(&member_id);
            }
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
                if let Some(member) = self.members.get_mut(&member_id) {
                    let before = std::mem::replace(&mut member.protocols, protocols.clone());
                    member.rebalance_timeout_ms = rebalance_timeout_ms;
                    member.session_timeout_ms = session_timeout_ms;
                    self.uncount_protocols(&before);
                    self.count_protocols(&protocols);
                    self.set_awaiting_join(&member_id, waiter);
                }
            }
            Note::MemberRemoved(member_id) => self.remove(&member_id),
            Note::StaticMemberReplaced {
                instance_id,
                old_member_id,
                new_member_id,
                deadline_ms,
            } => {
                self.set_awaiting_join(&old_member_id, None);
                if let Some(mut member) = self.members.remove(&old_member_id) {
                    member.member_id = new_member_id.clone();
                    member.awaiting_sync = None;
                    member.session_deadline_ms = deadline_ms;
                    self.members.insert(new_member_id.clone(), member);
                    if self.is_leader(&old_member_id) {
                        self.leader = Some(new_member_id.clone());
                    }
                    if self.pending_sync.remove(&old_member_id) {
                        self.pending_sync.insert(new_member_id.clone());
                    }
                    self.static_members.insert(instance_id, new_member_id);
                    self.watch(deadline_ms);
                }
            }
            Note::SessionRenewed { member_id, deadline_ms } => {
                // The deadline only moves away, so `earliest_deadline_ms` stays a lower bound, unless the session
                // timeout has become shorter.
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.session_deadline_ms = deadline_ms;
                    self.watch(deadline_ms);
                }
            }
            Note::SyncAwaited { member_id, waiter } => {
                self.synced(&member_id);
                if let Some(member) = self.members.get_mut(&member_id) {
                    member.awaiting_sync = Some(waiter);
                }
            }
            Note::Synced(member_id) => self.synced(&member_id),
            Note::RebalancePrepared {
                deadline_ms,
                initial,
                now,
            } => {
                if self.state == GroupState::CompletingRebalance {
                    self.reset_assignments(now);
                }
                self.pending_sync.clear();
                self.sync_deadline_ms = None;
                self.rebalance = Some(Rebalance { deadline_ms, initial });
                self.transition_to(GroupState::PreparingRebalance, now);
                self.watch(deadline_ms);
            }
            Note::JoinExtended { deadline_ms, initial } => {
                if initial.is_some() {
                    self.new_member_added = false;
                }
                self.rebalance = Some(Rebalance { deadline_ms, initial });
                self.watch(deadline_ms);
            }
            Note::GenerationStarted {
                leader,
                protocol_name,
                sync_deadline_ms,
                now,
            } => {
                self.leader = Some(leader);
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
            Note::GenerationEmptied { now } => {
                self.protocol_name = None;
                self.next_generation(GroupState::Empty, now);
            }
            Note::AssignmentTaken { assignments, now } => {
                for (member_id, member) in &mut self.members {
                    member.assignment = assignments.get(member_id).cloned().unwrap_or_default();
                }
                self.end_syncs(now);
                self.transition_to(GroupState::Stable, now);
            }
            Note::JoinAnswered(member_id) => self.set_awaiting_join(&member_id, None),
            Note::OffsetsPending(partitions) => {
                for partition in partitions {
                    *self.offsets_in_flight.entry(partition).or_default() += 1;
                }
            }
            Note::OffsetsSettled(partitions) => {
                for partition in partitions {
                    if let Some(count) = self.offsets_in_flight.get_mut(&partition) {
                        *count -= 1;
                        if *count == 0 {
                            self.offsets_in_flight.remove(&partition);
                        }
                    }
                }
            }
            Note::Dead { now } => {
                self.rebalance = None;
                self.transition_to(GroupState::Dead, now);
            }
            Note::Revived { now } => self.transition_to(GroupState::Empty, now),
            Note::Committed { high_watermark } => self.persisted.commit_through(high_watermark),
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

    /// The assignment did not come about: nobody has one, nobody waits for one.
    fn reset_assignments(&mut self, now: Now) {
        for member in self.members.values_mut() {
            member.assignment = bytes::Bytes::new();
        }
        self.end_syncs(now);
    }

    /// Members whose SyncGroup is answered could not send heartbeats while it was parked: their sessions start anew.
    fn end_syncs(&mut self, now: Now) {
        self.start_sessions(now, |member| member.awaiting_sync.is_some());
        for member in self.members.values_mut() {
            member.awaiting_sync = None;
        }
    }

    pub(super) fn start_sessions(&mut self, now: Now, of: impl Fn(&super::member::Member) -> bool) {
        let mut earliest = i64::MAX;
        for member in self.members.values_mut().filter(|member| of(member)) {
            member.session_deadline_ms = now.monotonic_ms + i64::from(member.session_timeout_ms);
            earliest = earliest.min(member.session_deadline_ms);
        }
        self.watch(earliest);
    }
}
