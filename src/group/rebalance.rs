//! A rebalance from its preparation to the next generation, and what happens when time runs out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::decision::SyncAnswer;
use super::decision::{Completion, Decision, Effect, InitialDelay, JoinAnswer, JoinedMember, Note, Now, Rejection};
use super::member::Member;
use super::record::{GroupMetadata, Record};
use super::state::{Group, GroupConfig, GroupState, Rebalance};

/// When nobody has rejoined at all, the group waits on for at least this long, whatever its members' timeouts are.
const REJOIN_WAIT_MIN_MS: i64 = 500;

/// Something that is due in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ripe {
    /// These member ids were handed out and not used in time.
    PendingMembersExpired(Vec<Arc<str>>),
    /// These members were silent for too long.
    MembersExpired(Vec<Arc<str>>),
    /// Time is up for those who did not send SyncGroup.
    SyncExpired,
    /// All members have rejoined, or time is up for those who have not.
    JoinCompleted,
}

impl Group {
    /// What is due, if anything. To be asked after every change and when `next_deadline_ms` has come, until it says
    /// `None`; each answer goes to `handle_ripe`.
    pub fn ripe(&mut self, now: Now) -> Option<Ripe> {
        if self.state == GroupState::Dead {
            self.earliest_deadline_ms = i64::MAX;
            return None;
        }
        let is_due = |deadline_ms: i64| deadline_ms <= now.monotonic_ms;
        if self.rebalance.is_some_and(|rebalance| {
            is_due(rebalance.deadline_ms) || (rebalance.initial.is_none() && self.all_members_joined())
        }) {
            return Some(Ripe::JoinCompleted);
        }
        if !is_due(self.earliest_deadline_ms) {
            return None;
        }
        let pending = self
            .pending_members
            .iter()
            .filter(|(_, deadline_ms)| is_due(**deadline_ms));
        let pending: Vec<_> = pending.map(|(member_id, _)| member_id.clone()).collect();
        if !pending.is_empty() {
            return Some(Ripe::PendingMembersExpired(pending));
        }
        let expired = self
            .members
            .values()
            .filter(|member| member.expires_at_ms().is_some_and(is_due));
        let expired: Vec<_> = expired.map(|member| member.member_id.clone()).collect();
        if !expired.is_empty() {
            return Some(Ripe::MembersExpired(expired));
        }
        if self.sync_deadline_ms.is_some_and(is_due) {
            return Some(Ripe::SyncExpired);
        }
        self.earliest_deadline_ms = self.earliest_of_all();
        None
    }

    pub(super) fn earliest_of_all(&self) -> i64 {
        let members = self.members.values().filter_map(Member::expires_at_ms);
        let rebalance = self.rebalance.map(|rebalance| rebalance.deadline_ms);
        let deadlines = members
            .chain(self.pending_members.values().copied())
            .chain(rebalance)
            .chain(self.sync_deadline_ms);
        deadlines.min().unwrap_or(i64::MAX)
    }

    /// Decides what follows from something that is due.
    pub fn handle_ripe(&self, ripe: &Ripe, config: &GroupConfig, now: Now) -> Decision {
        match ripe {
            Ripe::PendingMembersExpired(member_ids) => Decision {
                notes: member_ids.iter().cloned().map(Note::PendingMemberRemoved).collect(),
                ..Decision::default()
            },
            Ripe::MembersExpired(member_ids) => {
                let mut decision = Decision::default();
                self.remove_members(&mut decision, member_ids, config, now);
                decision
            }
            Ripe::SyncExpired => {
                let mut decision = Decision::default();
                let late: Vec<_> = self.pending_sync.iter().cloned().collect();
                self.remove_members(&mut decision, &late, config, now);
                decision
            }
            Ripe::JoinCompleted => self.complete_join(now),
        }
    }

    /// Members go, for whatever reason: what they have parked is refused, and the others have to rebalance.
    pub(super) fn remove_members<R>(
        &self,
        decision: &mut Decision<R>,
        member_ids: &[Arc<str>],
        config: &GroupConfig,
        now: Now,
    ) {
        let leaving: BTreeSet<&str> = member_ids
            .iter()
            .map(|id| &**id)
            .filter(|member_id| self.members.contains_key(*member_id))
            .collect();
        for member in leaving.iter().filter_map(|member_id| self.members.get(*member_id)) {
            if let Some(waiter) = member.awaiting_join {
                // With an unknown member id a client that is still there joins again as a new member.
                let answer = JoinAnswer::rejected(Arc::from(""), Rejection::UnknownMemberId);
                decision.effects.push(Effect::AnswerJoin(waiter, answer));
            }
            if let Some(waiter) = member.awaiting_sync {
                decision.effects.push(Effect::AnswerSync(
                    waiter,
                    SyncAnswer::rejected(Rejection::UnknownMemberId),
                ));
            }
            decision.notes.push(Note::MemberRemoved(member.member_id.clone()));
        }
        if !leaving.is_empty() && matches!(self.state, GroupState::Stable | GroupState::CompletingRebalance) {
            let stays = |member: &Member| !leaving.contains(&*member.member_id);
            let timeout_ms = self.rebalance_timeout_ms(stays);
            self.prepare_rebalance(decision, timeout_ms, stays, config, now);
        }
    }

    /// Lets the members rejoin. `stays` are those of the present members that are not just being removed or answered.
    pub(super) fn prepare_rebalance<R>(
        &self,
        decision: &mut Decision<R>,
        timeout_ms: i64,
        stays: impl Fn(&Member) -> bool,
        config: &GroupConfig,
        now: Now,
    ) {
        for member in self.members.values().filter(|member| stays(member)) {
            if let Some(waiter) = member.awaiting_sync {
                let answer = SyncAnswer::rejected(Rejection::RebalanceInProgress);
                decision.effects.push(Effect::AnswerSync(waiter, answer));
            }
        }
        let (delay_ms, initial) = if self.state == GroupState::Empty {
            let delay_ms = i64::from(config.initial_rebalance_delay_ms);
            (
                delay_ms,
                Some(InitialDelay {
                    delay_ms,
                    remaining_ms: (timeout_ms - delay_ms).max(0),
                }),
            )
        } else {
            (timeout_ms, None)
        };
        decision.notes.push(Note::RebalancePrepared {
            deadline_ms: now.monotonic_ms + delay_ms,
            initial,
            now,
        });
    }

    fn complete_join(&self, now: Now) -> Decision {
        if let Some(extended) = self.extend_initial_delay(now) {
            return Decision {
                notes: vec![extended],
                ..Decision::default()
            };
        }
        let mut decision = Decision::default();
        // Static members stay until their session ends, whether they have rejoined or not.
        let (remaining, removed): (Vec<&Member>, Vec<&Member>) = self
            .members
            .values()
            .partition(|member| member.awaiting_join.is_some() || member.instance_id.is_some());
        decision.notes.extend(
            removed
                .iter()
                .map(|member| Note::MemberRemoved(member.member_id.clone())),
        );
        if remaining.is_empty() {
            self.empty_generation(&mut decision, now);
            return decision;
        }
        let joined = |member: &&&Member| member.awaiting_join.is_some();
        let leader = remaining
            .iter()
            .filter(joined)
            .find(|member| self.is_leader(&member.member_id));
        match leader.or_else(|| remaining.iter().find(joined)) {
            Some(leader) => self.start_generation(&mut decision, &remaining, leader, now),
            None => {
                // Static members only, and none of them has rejoined: wait for one, or for the end of their sessions.
                let timeout_ms = remaining
                    .iter()
                    .map(|member| i64::from(member.rebalance_timeout_ms))
                    .max();
                let wait_ms = timeout_ms.unwrap_or(0).max(REJOIN_WAIT_MIN_MS);
                decision.notes.push(Note::JoinExtended {
                    deadline_ms: now.monotonic_ms + wait_ms,
                    initial: None,
                });
            }
        }
        decision
    }

    fn extend_initial_delay(&self, now: Now) -> Option<Note> {
        let Rebalance {
            initial: Some(initial), ..
        } = self.rebalance?
        else {
            return None;
        };
        if !self.new_member_added || initial.remaining_ms == 0 {
            return None;
        }
        let delay_ms = initial.delay_ms.min(initial.remaining_ms);
        let remaining_ms = (initial.remaining_ms - initial.delay_ms).max(0);
        Some(Note::JoinExtended {
            deadline_ms: now.monotonic_ms + delay_ms,
            initial: Some(InitialDelay { delay_ms, remaining_ms }),
        })
    }

    fn empty_generation(&self, decision: &mut Decision, now: Now) {
        decision.notes.push(Note::GenerationEmptied { now });
        decision.records.push(Record::Group(Some(Arc::new(GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            generation_id: self.generation_id + 1,
            protocol_name: None,
            leader: None,
            state_timestamp_ms: Some(now.timestamp_ms),
            members: Vec::new(),
        }))));
        decision.completion = Some(Completion::EmptyGeneration);
    }

    fn start_generation(&self, decision: &mut Decision, members: &[&Member], leader: &Member, now: Now) {
        let Some(protocol_name) = self.select_protocol(members) else {
            panic!(
                "group {}: its {} members have no protocol in common",
                self.group_id,
                members.len()
            );
        };
        for member in members {
            let Some(waiter) = member.awaiting_join else { continue };
            let joined = if member.member_id == leader.member_id {
                members
            } else {
                &[]
            };
            let answer = JoinAnswer {
                error: None,
                member_id: member.member_id.clone(),
                generation_id: self.generation_id + 1,
                protocol_type: self.protocol_type.clone(),
                protocol_name: Some(protocol_name.clone()),
                leader: Some(leader.member_id.clone()),
                skip_assignment: false,
                members: joined
                    .iter()
                    .map(|member| joined_member(member, protocol_name))
                    .collect(),
            };
            decision.effects.push(Effect::AnswerJoin(waiter, answer));
        }
        let timeout_ms = members
            .iter()
            .map(|member| i64::from(member.rebalance_timeout_ms))
            .max()
            .unwrap_or(0)
            .max(0);
        decision.notes.push(Note::GenerationStarted {
            leader: leader.member_id.clone(),
            protocol_name: protocol_name.clone(),
            sync_deadline_ms: now.monotonic_ms + timeout_ms,
            now,
        });
    }
}

fn joined_member(member: &Member, protocol_name: &str) -> JoinedMember {
    JoinedMember {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        metadata: member.metadata(protocol_name).cloned().unwrap_or_default(),
    }
}
