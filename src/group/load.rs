//! A group comes back from the log.

use super::decision::{Decision, Now};
use super::member::{Member, Protocol};
use super::record::PersistedMember;
use super::state::{Group, GroupConfig, GroupState};

impl Group {
    /// Takes over what the log says, when all of the group's records have been applied and committed: the members of
    /// the last written generation are back, each with a whole session before it. What was never written – joins
    /// under way, commits in flight – is gone, and its clients ask again.
    pub fn restore(&mut self, now: Now) {
        let Some(metadata) = self.persisted.metadata().cloned() else {
            return;
        };
        self.state = if metadata.members.is_empty() {
            GroupState::Empty
        } else {
            GroupState::Stable
        };
        self.state_timestamp_ms = metadata.state_timestamp_ms;
        self.generation_id = metadata.generation_id;
        self.protocol_name = metadata.protocol_name.clone();
        self.leader = metadata.leader.clone();
        let protocol_type = (!metadata.protocol_type.is_empty()).then(|| metadata.protocol_type.clone());
        for member in &metadata.members {
            let session_deadline_ms = now.monotonic_ms + i64::from(member.session_timeout_ms);
            let member = restored(member, metadata.protocol_name.as_ref(), session_deadline_ms);
            self.add(member, &metadata.protocol_type);
        }
        self.protocol_type = protocol_type;
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    /// Decides what follows right after a load: a group above a limit that was lowered meanwhile has to rebalance, so
    /// that its members can commit before the last ones have to go.
    pub fn handle_restored(&self, config: &GroupConfig, now: Now) -> Decision {
        let mut decision = Decision::default();
        if self.members.len() > config.max_size && self.can_rebalance() {
            let timeout_ms = self.rebalance_timeout_ms(|_| true);
            self.prepare_rebalance(&mut decision, timeout_ms, |_| true, config, now);
        }
        decision
    }
}

fn restored(member: &PersistedMember, protocol_name: Option<&std::sync::Arc<str>>, session_deadline_ms: i64) -> Member {
    // Only the chosen protocol is written; the others come back when the member rejoins.
    let chosen = protocol_name.map(|name| Protocol {
        name: name.clone(),
        metadata: member.subscription.clone(),
    });
    Member {
        member_id: member.member_id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout_ms,
        protocols: chosen.into_iter().collect(),
        assignment: member.assignment.clone(),
        is_new: false,
        awaiting_join: None,
        awaiting_sync: None,
        session_deadline_ms,
    }
}
