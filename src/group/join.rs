//! JoinGroup: who may join, and whether that begins a rebalance.

use std::sync::Arc;

use bytes::Bytes;

use super::decision::{
    Completion, Decision, Effect, JoinAnswer, JoinedMember, Note, Now, Rejection, StaticReplacement,
};
use super::decision::{SyncAnswer, Waiter};
use super::member::{Member, Protocol};
use super::record::{GroupMetadata, PersistedMember, Record};
use super::state::{Group, GroupConfig, GroupState};

/// How long a new member's parked JoinGroup keeps it in the group: it has no member id to send heartbeats with, and
/// a client that gave up would otherwise stay for ever.
pub const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;

/// Member ids that may be handed out and unused per group. Each costs a client one request and us a map entry.
pub const MAX_PENDING_MEMBERS: usize = 10_000;

/// Protocols that one member may name; each rebalance compares those of all members.
pub const MAX_PROTOCOLS: usize = 100;

/// Bytes that the protocols of one member may take. They stay in memory for as long as the member does, and what does
/// not fit into a record of `__consumer_offsets` – 1 MiB, unless somebody has raised it – could not be kept anyway.
pub const MAX_PROTOCOLS_BYTES: usize = 16 * 1024 * 1024;

/// A JoinGroup request, version-independent.
#[derive(Debug, Clone)]
pub struct Join {
    /// Empty for a client that has none.
    pub member_id: Arc<str>,
    /// Set by static members.
    pub instance_id: Option<Arc<str>>,
    /// As the client calls itself.
    pub client_id: Arc<str>,
    /// The client's address.
    pub client_host: Arc<str>,
    /// How long a rebalance is to wait for the member.
    pub rebalance_timeout_ms: i32,
    /// How long the member may be silent.
    pub session_timeout_ms: i32,
    /// The protocol type; `consumer`, `connect`, …
    pub protocol_type: Arc<str>,
    /// In the order of preference; no name twice.
    pub protocols: Vec<Protocol>,
    /// A dynamic member has to join with a member id that it was given (v4).
    pub requires_known_member_id: bool,
    /// The client understands `skip_assignment` (v9).
    pub supports_skipping_assignment: bool,
    /// The member id to give if one is needed.
    pub new_member_id: Arc<str>,
    /// The parked request.
    pub waiter: Waiter,
}

impl Group {
    /// Decides about a JoinGroup. The answer is parked under `join.waiter` unless the decision has a response.
    pub fn handle_join(&self, join: &Join, config: &GroupConfig, now: Now) -> Result<Decision<JoinAnswer>, Rejection> {
        config.check_session_timeout(join.session_timeout_ms)?;
        if !self.has_room_for(&join.member_id, config) {
            // A member that tries to rejoin a group that has become too small for it leaves by that.
            let mut decision = Decision::respond(JoinAnswer::rejected(Arc::from(""), Rejection::GroupMaxSizeReached));
            decision.notes.push(Note::MemberRemoved(join.member_id.clone()));
            return Ok(decision);
        }
        if self.state == GroupState::Dead {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        check_size(&join.protocols)?;
        if !self.supports_protocols(&join.protocol_type, &join.protocols) {
            return Err(Rejection::InconsistentGroupProtocol);
        }
        if join.member_id.is_empty() {
            self.join_new(join, config, now)
        } else {
            self.join_known(join, config, now)
        }
    }

    /// In a rebalance those count who have rejoined, because the group may be above a limit that was lowered: the
    /// last to rejoin have to go.
    fn has_room_for(&self, member_id: &str, config: &GroupConfig) -> bool {
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                self.members
                    .get(member_id)
                    .is_some_and(|member| member.awaiting_join.is_some())
                    || self.members_awaiting_join < config.max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < config.max_size
            }
        }
    }

    fn join_new(&self, join: &Join, config: &GroupConfig, now: Now) -> Result<Decision<JoinAnswer>, Rejection> {
        if let Some(instance_id) = &join.instance_id {
            return Ok(
                match self.static_members.get(instance_id).and_then(|id| self.members.get(id)) {
                    Some(old) => self.replace_static(join, instance_id, old, config, now),
                    None => self.add_member(join, join.new_member_id.clone(), config, now),
                },
            );
        }
        if !join.requires_known_member_id {
            return Ok(self.add_member(join, join.new_member_id.clone(), config, now));
        }
        if self.pending_members.len() >= MAX_PENDING_MEMBERS {
            return Err(Rejection::GroupMaxSizeReached);
        }
        let mut decision = Decision::respond(JoinAnswer::rejected(
            join.new_member_id.clone(),
            Rejection::MemberIdRequired,
        ));
        decision.notes.push(Note::PendingMemberAdded {
            member_id: join.new_member_id.clone(),
            deadline_ms: now.monotonic_ms + i64::from(join.session_timeout_ms),
        });
        Ok(decision)
    }

    fn join_known(&self, join: &Join, config: &GroupConfig, now: Now) -> Result<Decision<JoinAnswer>, Rejection> {
        if self.pending_members.contains_key(&join.member_id) {
            // Member ids are handed out to dynamic members only.
            return match join.instance_id {
                Some(_) => Err(Rejection::UnknownMemberId),
                None => Ok(self.add_member(join, join.member_id.clone(), config, now)),
            };
        }
        let member = self.validate_member(&join.member_id, join.instance_id.as_deref())?;
        let unchanged = member.protocols == join.protocols;
        match self.state {
            GroupState::PreparingRebalance => Ok(self.rejoin_member(join, member, config, now)),
            // The member may have missed the first answer.
            GroupState::CompletingRebalance if unchanged => Ok(Decision::respond(self.current_generation(member))),
            GroupState::CompletingRebalance => Ok(self.rejoin_member(join, member, config, now)),
            // A leader rejoins to have a rebalance, for example because there are new partitions.
            GroupState::Stable if unchanged && !self.is_leader(&member.member_id) => {
                Ok(Decision::respond(self.current_generation(member)))
            }
            GroupState::Stable => Ok(self.rejoin_member(join, member, config, now)),
            GroupState::Empty | GroupState::Dead => Err(Rejection::UnknownMemberId),
        }
    }

    fn add_member(&self, join: &Join, member_id: Arc<str>, config: &GroupConfig, now: Now) -> Decision<JoinAnswer> {
        let member = Member {
            member_id,
            instance_id: join.instance_id.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            is_new: true,
            awaiting_join: Some(join.waiter),
            awaiting_sync: None,
            session_deadline_ms: now.monotonic_ms + NEW_MEMBER_JOIN_TIMEOUT_MS,
        };
        let mut decision = Decision::default();
        decision.notes.push(Note::MemberAdded {
            member: Box::new(member),
            protocol_type: join.protocol_type.clone(),
        });
        if self.can_rebalance() {
            let timeout_ms = self
                .rebalance_timeout_ms(|_| true)
                .max(i64::from(join.rebalance_timeout_ms));
            self.prepare_rebalance(&mut decision, timeout_ms, |_| true, config, now);
        }
        decision
    }

    fn rejoin_member(&self, join: &Join, member: &Member, config: &GroupConfig, now: Now) -> Decision<JoinAnswer> {
        let mut decision = Decision::default();
        // Its earlier JoinGroup came over a connection that it has given up, or else it would not ask again.
        if let Some(superseded) = member.awaiting_join {
            let answer = JoinAnswer::rejected(member.member_id.clone(), Rejection::RebalanceInProgress);
            decision.effects.push(Effect::AnswerJoin(superseded, answer));
        }
        decision.notes.push(Note::MemberUpdated {
            member_id: member.member_id.clone(),
            protocols: join.protocols.clone(),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            waiter: Some(join.waiter),
        });
        if self.can_rebalance() {
            let timeout_ms = self.rebalance_timeout_with(join, &member.member_id);
            self.prepare_rebalance(&mut decision, timeout_ms, |_| true, config, now);
        }
        decision
    }

    fn rebalance_timeout_with(&self, join: &Join, member_id: &str) -> i64 {
        self.rebalance_timeout_ms(|other| *other.member_id != *member_id)
            .max(i64::from(join.rebalance_timeout_ms))
    }

    /// A static member came back without its member id: it gets a new one, and whoever still uses the old one is
    /// fenced. As long as the chosen protocol stays, the others need not notice.
    fn replace_static(
        &self,
        join: &Join,
        instance_id: &Arc<str>,
        old: &Member,
        config: &GroupConfig,
        now: Now,
    ) -> Decision<JoinAnswer> {
        let mut decision = Decision::default();
        if let Some(waiter) = old.awaiting_join {
            let answer = JoinAnswer::rejected(old.member_id.clone(), Rejection::FencedInstanceId);
            decision.effects.push(Effect::AnswerJoin(waiter, answer));
        }
        if let Some(waiter) = old.awaiting_sync {
            let answer = SyncAnswer::rejected(Rejection::FencedInstanceId);
            decision.effects.push(Effect::AnswerSync(waiter, answer));
        }
        decision.notes.push(Note::StaticMemberReplaced {
            instance_id: instance_id.clone(),
            old_member_id: old.member_id.clone(),
            new_member_id: join.new_member_id.clone(),
            deadline_ms: now.monotonic_ms + i64::from(join.session_timeout_ms),
        });
        decision.notes.push(Note::MemberUpdated {
            member_id: join.new_member_id.clone(),
            protocols: join.protocols.clone(),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            waiter: Some(join.waiter),
        });
        if self.state == GroupState::Stable && self.protocol_stays(join, old) {
            self.persist_replacement(&mut decision, join, instance_id, old);
        } else if self.can_rebalance() {
            // Between the generation and its assignment the leader may have assigned to the old member id already.
            let timeout_ms = self.rebalance_timeout_with(join, &old.member_id);
            let others = |member: &Member| member.member_id != old.member_id;
            self.prepare_rebalance(&mut decision, timeout_ms, others, config, now);
        }
        decision
    }

    fn protocol_stays(&self, join: &Join, old: &Member) -> bool {
        let updated = Member {
            protocols: join.protocols.clone(),
            ..old.clone()
        };
        let members: Vec<&Member> = self
            .members
            .values()
            .map(|member| {
                if member.member_id == old.member_id {
                    &updated
                } else {
                    member
                }
            })
            .collect();
        self.protocol_name.is_some() && self.select_protocol(&members) == self.protocol_name.as_ref()
    }

    fn persist_replacement(
        &self,
        decision: &mut Decision<JoinAnswer>,
        join: &Join,
        instance_id: &Arc<str>,
        old: &Member,
    ) {
        let mut metadata = self.to_metadata(|member| member.assignment.clone());
        for member in &mut metadata.members {
            if member.member_id == old.member_id {
                *member = PersistedMember {
                    member_id: join.new_member_id.clone(),
                    rebalance_timeout_ms: join.rebalance_timeout_ms,
                    session_timeout_ms: join.session_timeout_ms,
                    subscription: self.chosen_metadata(&join.protocols),
                    ..member.clone()
                };
            }
        }
        if self.is_leader(&old.member_id) {
            metadata.leader = Some(join.new_member_id.clone());
        }
        decision.records.push(Record::Group(Some(Arc::new(metadata))));
        decision.completion = Some(Completion::StaticReplacement(Arc::new(StaticReplacement {
            instance_id: instance_id.clone(),
            old_member_id: old.member_id.clone(),
            new_member_id: join.new_member_id.clone(),
            waiter: join.waiter,
            leader_before: self.leader.clone(),
            supports_skipping_assignment: join.supports_skipping_assignment,
            old_protocols: old.protocols.clone(),
            old_rebalance_timeout_ms: old.rebalance_timeout_ms,
            old_session_timeout_ms: old.session_timeout_ms,
        })));
    }

    /// The end of `persist_replacement`: the static member is answered, or has its old member id back.
    pub(super) fn settle_replacement(
        &self,
        replacement: &StaticReplacement,
        outcome: Result<(), Rejection>,
        now: Now,
    ) -> Decision {
        let mut decision = Decision::default();
        let Some(member) = self.members.get(&replacement.new_member_id) else {
            return decision;
        };
        // Another rebalance has begun, or the member was replaced again: then that answers.
        if self.state != GroupState::Stable || member.awaiting_join != Some(replacement.waiter) {
            return decision;
        }
        let answer = match outcome {
            Ok(()) if replacement.supports_skipping_assignment => {
                // The leader learns that it leads, so that it goes on watching the topics, but keeps its assignment.
                JoinAnswer {
                    skip_assignment: self.is_leader(&member.member_id),
                    ..self.current_generation(member)
                }
            }
            // An older client would assign anew if it heard that it leads, and nobody would take that: so it is told
            // the member id that it had before.
            Ok(()) => JoinAnswer {
                leader: replacement.leader_before.clone(),
                members: Vec::new(),
                ..self.current_generation(member)
            },
            Err(error) => JoinAnswer {
                error: Some(error),
                member_id: Arc::from(""),
                leader: replacement.leader_before.clone(),
                members: Vec::new(),
                ..self.current_generation(member)
            },
        };
        decision.notes.push(Note::JoinAnswered(member.member_id.clone()));
        if outcome.is_err() {
            decision.notes.push(Note::MemberUpdated {
                member_id: member.member_id.clone(),
                protocols: replacement.old_protocols.clone(),
                rebalance_timeout_ms: replacement.old_rebalance_timeout_ms,
                session_timeout_ms: replacement.old_session_timeout_ms,
                waiter: None,
            });
            decision.notes.push(Note::StaticMemberReplaced {
                instance_id: replacement.instance_id.clone(),
                old_member_id: member.member_id.clone(),
                new_member_id: replacement.old_member_id.clone(),
                deadline_ms: now.monotonic_ms + i64::from(replacement.old_session_timeout_ms),
            });
        }
        decision.effects.push(Effect::AnswerJoin(replacement.waiter, answer));
        decision
    }

    /// What a member is told about the generation that it is in.
    pub(super) fn current_generation(&self, member: &Member) -> JoinAnswer {
        let members = if self.is_leader(&member.member_id) {
            self.joined_members()
        } else {
            Vec::new()
        };
        JoinAnswer {
            error: None,
            member_id: member.member_id.clone(),
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            skip_assignment: false,
            members,
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        self.members
            .values()
            .map(|member| JoinedMember {
                member_id: member.member_id.clone(),
                instance_id: member.instance_id.clone(),
                metadata: self.chosen_metadata(&member.protocols),
            })
            .collect()
    }

    /// The metadata for the group's protocol; empty where the group has none.
    pub(super) fn chosen_metadata(&self, protocols: &[Protocol]) -> Bytes {
        protocols
            .iter()
            .find(|protocol| Some(&protocol.name) == self.protocol_name.as_ref())
            .map(|protocol| protocol.metadata.clone())
            .unwrap_or_default()
    }

    /// The group as it is written to the log.
    pub(super) fn to_metadata(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupMetadata {
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            generation_id: self.generation_id,
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_timestamp_ms: self.state_timestamp_ms,
            members: self
                .members
                .values()
                .map(|member| PersistedMember {
                    member_id: member.member_id.clone(),
                    instance_id: member.instance_id.clone(),
                    client_id: member.client_id.clone(),
                    client_host: member.client_host.clone(),
                    rebalance_timeout_ms: member.rebalance_timeout_ms,
                    session_timeout_ms: member.session_timeout_ms,
                    subscription: self.chosen_metadata(&member.protocols),
                    assignment: assignment(member),
                })
                .collect(),
        }
    }
}

fn check_size(protocols: &[Protocol]) -> Result<(), Rejection> {
    let bytes: usize = protocols
        .iter()
        .map(|protocol| protocol.name.len() + protocol.metadata.len())
        .sum();
    if protocols.len() > MAX_PROTOCOLS || bytes > MAX_PROTOCOLS_BYTES {
        return Err(Rejection::InvalidRequest);
    }
    Ok(())
}
