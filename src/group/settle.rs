//! What follows when the records of a decision are committed, or have failed.

use super::decision::{Completion, Decision, Note, Now, Rejection};
use super::state::{Group, GroupConfig, GroupState};

impl Group {
    /// Decides what follows from the fate of a decision's records.
    pub fn handle_settled(
        &self,
        completion: &Completion,
        outcome: Result<(), Rejection>,
        config: &GroupConfig,
        now: Now,
    ) -> Decision {
        match completion {
            Completion::Assignment {
                generation_id,
                assignments,
            } => self.settle_assignment(*generation_id, assignments, outcome, config, now),
            Completion::StaticReplacement(replacement) => self.settle_replacement(replacement, outcome, now),
            Completion::Offsets(partitions) => Decision {
                notes: vec![Note::OffsetsSettled(partitions.clone())],
                ..Decision::default()
            },
            // If it is not written, the generation before comes back after a restart, and its members' sessions end.
            Completion::EmptyGeneration | Completion::OffsetsRemoved => Decision::default(),
            Completion::Deletion if outcome.is_err() && self.state == GroupState::Dead => Decision {
                notes: vec![Note::Revived { now }],
                ..Decision::default()
            },
            Completion::Deletion => Decision::default(),
        }
    }
}
