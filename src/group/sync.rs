//! SyncGroup: the leader hands in the assignment, everybody gets theirs.

use std::sync::Arc;

use super::decision::{Assignments, Completion, Decision, Effect, Note, Now, Rejection, SyncAnswer, Waiter};
use super::record::Record;
use super::state::{Group, GroupConfig, GroupState};

/// A SyncGroup request, version-independent.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Who asks.
    pub member_id: Arc<str>,
    /// Set by static members.
    pub instance_id: Option<Arc<str>>,
    /// The generation that the member believes to be in.
    pub generation_id: i32,
    /// From v5 on.
    pub protocol_type: Option<Arc<str>>,
    /// From v5 on.
    pub protocol_name: Option<Arc<str>>,
    /// From the leader only.
    pub assignments: Assignments,
    /// The parked request.
    pub waiter: Waiter,
}

impl Group {
    /// Decides about a SyncGroup. The answer is parked under `sync.waiter` unless the decision has a response.
    pub fn handle_sync(&self, sync: &Sync, now: Now) -> Result<Decision<SyncAnswer>, Rejection> {
        if self.state == GroupState::Dead {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let member = self.validate_member(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation_id != self.generation_id {
            return Err(Rejection::IllegalGeneration);
        }
        let differs = |asked: &Option<Arc<str>>, ours: &Option<Arc<str>>| asked.is_some() && asked != ours;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol_name, &self.protocol_name) {
            return Err(Rejection::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => Err(Rejection::UnknownMemberId),
            GroupState::PreparingRebalance => Err(Rejection::RebalanceInProgress),
            GroupState::CompletingRebalance => Ok(self.await_assignment(sync, member.awaiting_sync)),
            GroupState::Stable => {
                let mut decision = Decision::respond(SyncAnswer {
                    error: None,
                    protocol_type: self.protocol_type.clone(),
                    protocol_name: self.protocol_name.clone(),
                    assignment: member.assignment.clone(),
                });
                decision.notes.push(Note::Synced(member.member_id.clone()));
                decision.notes.push(member.renew_session(now));
                Ok(decision)
            }
        }
    }

    fn await_assignment(&self, sync: &Sync, superseded: Option<Waiter>) -> Decision<SyncAnswer> {
        let mut decision = Decision::default();
        if let Some(waiter) = superseded {
            decision.effects.push(Effect::AnswerSync(
                waiter,
                SyncAnswer::rejected(Rejection::RebalanceInProgress),
            ));
        }
        decision.notes.push(Note::SyncAwaited {
            member_id: sync.member_id.clone(),
            waiter: sync.waiter,
        });
        if self.is_leader(&sync.member_id) {
            // Whom the leader forgot gets an empty assignment; who is no member gets none.
            let assignments: Assignments = self
                .members
                .keys()
                .map(|id| (id.clone(), sync.assignments.get(id).cloned().unwrap_or_default()))
                .collect();
            let metadata = self.to_metadata(|member| assignments.get(&member.member_id).cloned().unwrap_or_default());
            decision.records.push(Record::Group(Some(Arc::new(metadata))));
            decision.completion = Some(Completion::Assignment {
                generation_id: self.generation_id,
                assignments: Arc::new(assignments),
            });
        }
        decision
    }

    /// The end of the leader's SyncGroup: its assignment is committed, or everybody has to rejoin.
    pub(super) fn settle_assignment(
        &self,
        generation_id: i32,
        assignments: &Arc<Assignments>,
        outcome: Result<(), Rejection>,
        config: &GroupConfig,
        now: Now,
    ) -> Decision {
        let mut decision = Decision::default();
        // Members may have come or gone meanwhile, and then there is, or was, another rebalance.
        if self.state != GroupState::CompletingRebalance || self.generation_id != generation_id {
            return decision;
        }
        let waiting = self
            .members
            .values()
            .filter_map(|member| Some((member, member.awaiting_sync?)));
        match outcome {
            Ok(()) => {
                for (member, waiter) in waiting {
                    let answer = SyncAnswer {
                        error: None,
                        protocol_type: self.protocol_type.clone(),
                        protocol_name: self.protocol_name.clone(),
                        assignment: assignments.get(&member.member_id).cloned().unwrap_or_default(),
                    };
                    decision.effects.push(Effect::AnswerSync(waiter, answer));
                }
                decision.notes.push(Note::AssignmentTaken {
                    assignments: assignments.clone(),
                    now,
                });
            }
            Err(error) => {
                let answers = waiting.map(|(_, waiter)| Effect::AnswerSync(waiter, SyncAnswer::rejected(error)));
                decision.effects.extend(answers);
                let timeout_ms = self.rebalance_timeout_ms(|_| true);
                self.prepare_rebalance(&mut decision, timeout_ms, |_| false, config, now);
            }
        }
        decision
    }
}
