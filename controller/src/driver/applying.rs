//! Effects on their way to the broker, beside the driver's thread of decisions.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::effects::{Effect, EffectSink, FailedReplica};
use crate::requests::ControllerError;

/// What is done when a request is through: `Ok` when it was written and its effects are applied.
pub(super) type Completion = Box<dyn FnOnce(Result<(), ControllerError>) + Send>;

/// Effects on their way to the broker, and what waits for them.
#[derive(Default)]
pub(super) struct EffectBatch {
    pub(super) effects: Vec<Effect>,
    pub(super) completions: Vec<Completion>,
}

/// Effects that were applied and that the controller has to do something about.
pub(super) struct Finished {
    pub(super) deleted: Vec<Arc<str>>,
    pub(super) failed: Vec<FailedReplica>,
    pub(super) completions: Vec<Completion>,
}

/// Applies batch after batch, so that deciding goes on while a broker opens logs.
pub(super) async fn apply_effects(
    mut sink: Box<dyn EffectSink>,
    mut batches: mpsc::UnboundedReceiver<EffectBatch>,
    finished: mpsc::UnboundedSender<Finished>,
) {
    while let Some(EffectBatch { effects, completions }) = batches.recv().await {
        let mut deleted: Vec<Arc<str>> = Vec::new();
        for effect in &effects {
            if let Effect::StopReplica {
                delete: true,
                partitions,
                ..
            } = effect
            {
                deleted.extend(partitions.iter().map(|partition| partition.topic.clone()));
            }
        }
        deleted.dedup();
        let applied = sink.apply(effects).await;
        let failed: HashSet<&Arc<str>> = applied.failed.iter().map(|failed| &failed.topic).collect();
        deleted.retain(|topic| !failed.contains(topic));
        if deleted.is_empty() && applied.failed.is_empty() {
            completions.into_iter().for_each(|complete| complete(Ok(())));
        } else {
            let report = Finished {
                deleted,
                failed: applied.failed,
                completions,
            };
            if let Err(mpsc::error::SendError(report)) = finished.send(report) {
                report
                    .completions
                    .into_iter()
                    .for_each(|complete| complete(Err(ControllerError::Stopped)));
            }
        }
    }
}
