//! LeaveGroup: members go of their own accord, or are sent away by an administrator.

use std::sync::Arc;

use super::decision::{Decision, Note, Now, Rejection};
use super::state::{Group, GroupConfig, GroupState};

/// One of the members of a LeaveGroup request.
#[derive(Debug, Clone)]
pub struct Leaver {
    /// Empty when a static member is named by its group instance id alone.
    pub member_id: Arc<str>,
    /// Set for static members.
    pub instance_id: Option<Arc<str>>,
}

impl Group {
    /// Decides about a LeaveGroup; the response has one result for each of `leavers`, in their order.
    pub fn handle_leave(
        &self,
        leavers: &[Leaver],
        config: &GroupConfig,
        now: Now,
    ) -> Result<Decision<Vec<Result<(), Rejection>>>, Rejection> {
        if self.state == GroupState::Dead {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let mut decision = Decision::default();
        let mut leaving: Vec<Arc<str>> = Vec::new();
        let mut results = Vec::with_capacity(leavers.len());
        let mut gone = std::collections::HashSet::new();
        for leaver in leavers {
            let result = self.leaving_member_id(leaver).and_then(|member_id| {
                // Who is named twice is not there any more the second time.
                if gone.insert(member_id.clone()) {
                    Ok(member_id)
                } else {
                    Err(Rejection::UnknownMemberId)
                }
            });
            results.push(result.map(|member_id| leaving.push(member_id)));
        }
        self.remove_members(&mut decision, &leaving, config, now);
        let pending = leaving
            .into_iter()
            .filter(|member_id| self.pending_members.contains_key(member_id));
        decision.notes.extend(pending.map(Note::PendingMemberRemoved));
        decision.response = Some(results);
        Ok(decision)
    }

    fn leaving_member_id(&self, leaver: &Leaver) -> Result<Arc<str>, Rejection> {
        if leaver.member_id.is_empty() {
            let instance_id = leaver.instance_id.as_ref().ok_or(Rejection::UnknownMemberId)?;
            return self
                .static_members
                .get(instance_id)
                .cloned()
                .ok_or(Rejection::UnknownMemberId);
        }
        if self.pending_members.contains_key(&leaver.member_id) {
            return Ok(leaver.member_id.clone());
        }
        self.validate_member(&leaver.member_id, leaver.instance_id.as_deref())
            .map(|member| member.member_id.clone())
    }
}
