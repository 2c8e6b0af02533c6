//! Effects on their way to the broker, beside the driver's thread of decisions.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::effects::{Applied, Effect, EffectSink, FailedReplica};
use crate::ids::{BrokerId, ControllerEpoch};
use crate::requests::ControllerError;

/// What is done when a request is through: `Ok` when it was written and its effects are applied.
pub(super) type Completion = Box<dyn FnOnce(Result<(), ControllerError>) + Send>;

/// Effects on their way to the broker, and what waits for them.
#[derive(Default)]
pub(super) struct EffectBatch {
    pub(super) controller_epoch: ControllerEpoch,
    pub(super) effects: Vec<Effect>,
    pub(super) completions: Vec<Completion>,
}

/// Partitions by topic.
pub(super) type Deleted = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// Effects that were applied and that the controller has to do something about.
pub(super) struct Finished {
    /// Where.
    pub(super) broker: BrokerId,
    /// The controller that decided them: of an earlier one they mean nothing.
    pub(super) controller_epoch: ControllerEpoch,
    /// The partitions whose deletion was told and did not fail, by topic.
    pub(super) deleted: Deleted,
    pub(super) failed: Vec<FailedReplica>,
    /// The broker has heard of a later controller.
    pub(super) is_stale: bool,
    pub(super) completions: Vec<Completion>,
}

impl Finished {
    /// `deleted` are the partitions whose deletion was told.
    pub(super) fn new(
        broker: BrokerId,
        controller_epoch: ControllerEpoch,
        mut deleted: Deleted,
        applied: Applied,
    ) -> Self {
        let failed: HashSet<&Arc<str>> = applied.failed.iter().map(|failed| &failed.topic).collect();
        deleted.retain(|topic, _| !failed.contains(topic) && !applied.is_stale);
        Finished {
            broker,
            controller_epoch,
            deleted,
            failed: applied.failed,
            is_stale: applied.is_stale,
            completions: Vec::new(),
        }
    }

    pub(super) fn stale(broker: BrokerId, controller_epoch: ControllerEpoch) -> Self {
        let applied = Applied {
            failed: Vec::new(),
            is_stale: true,
        };
        Finished::new(broker, controller_epoch, Deleted::new(), applied)
    }

    /// Whether there is anything to do about it but to answer.
    pub(super) fn is_of_interest(&self) -> bool {
        self.is_stale || !self.deleted.is_empty() || !self.failed.is_empty()
    }
}

/// The partitions that effects delete.
pub(super) fn deletions(effects: &[Effect]) -> Deleted {
    let mut deleted = Deleted::new();
    for effect in effects {
        if let Effect::StopReplica {
            delete: true,
            partitions,
            ..
        } = effect
        {
            for partition in partitions {
                let of_topic = deleted.entry(partition.topic.clone()).or_default();
                of_topic.insert(partition.partition);
            }
        }
    }
    deleted
}

/// Applies batch after batch to broker `own`, so that deciding goes on while it opens logs.
pub(super) async fn apply_effects(
    own: BrokerId,
    mut sink: Box<dyn EffectSink>,
    mut batches: mpsc::UnboundedReceiver<EffectBatch>,
    finished: mpsc::UnboundedSender<Finished>,
) {
    while let Some(EffectBatch {
        controller_epoch,
        effects,
        completions,
    }) = batches.recv().await
    {
        let deleted = deletions(&effects);
        let applied = sink.apply(effects).await;
        let mut report = Finished::new(own, controller_epoch, deleted, applied);
        if !report.is_of_interest() {
            completions.into_iter().for_each(|complete| complete(Ok(())));
            continue;
        }
        report.completions = completions;
        if let Err(mpsc::error::SendError(report)) = finished.send(report) {
            report
                .completions
                .into_iter()
                .for_each(|complete| complete(Err(ControllerError::Stopped)));
        }
    }
}
