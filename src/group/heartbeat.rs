//! Heartbeat: a member is still there, and learns whether it has to rejoin.

use super::decision::{Decision, Now, Rejection};
use super::state::{Group, GroupState};

impl Group {
    /// Decides about a heartbeat. The response may itself be a refusal that nevertheless counts as a sign of life.
    pub fn handle_heartbeat(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
        now: Now,
    ) -> Result<Decision<Result<(), Rejection>>, Rejection> {
        if self.state == GroupState::Dead {
            return Err(Rejection::CoordinatorNotAvailable);
        }
        let member = self.validate_member(member_id, instance_id)?;
        if generation_id != self.generation_id {
            return Err(Rejection::IllegalGeneration);
        }
        let answer = match self.state {
            GroupState::Empty | GroupState::Dead => return Err(Rejection::UnknownMemberId),
            GroupState::PreparingRebalance => Err(Rejection::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        };
        let mut decision = Decision::respond(answer);
        decision.notes.push(member.renew_session(now));
        Ok(decision)
    }
}
