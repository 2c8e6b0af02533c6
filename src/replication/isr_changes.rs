//! What leaders ask the controller for (KIP-497): one request at a time for all of them, asked again until it is answered. Kafka's
//! `AlterPartitionManager`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use controller::{AlteredPartition, IsrChange, LeaderRecoveryState, TopicRef};
use protocol::ErrorCode;
use storage::TopicPartition;
use tokio::sync::mpsc::UnboundedReceiver;

use super::leader::{Answer, Proposal};
use crate::inter_broker::ToController;
use crate::partition::Partition;
use crate::threads;

/// Before what was not answered is asked again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// And at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

type Due = HashMap<TopicPartition, Arc<Partition>>;

/// Asks until the broker ends.
pub async fn run(mut proposing: UnboundedReceiver<Arc<Partition>>, to_controller: Arc<ToController>) {
    let mut due = Due::new();
    let mut pause = FIRST_PAUSE;
    loop {
        if due.is_empty() {
            match proposing.recv().await {
                Some(partition) => add(&mut due, partition),
                None => return,
            }
        }
        while let Ok(partition) = proposing.try_recv() {
            add(&mut due, partition);
        }
        let asked = proposals(std::mem::take(&mut due));
        if asked.is_empty() {
            continue;
        }
        let changes = asked.iter().map(|(partition, proposal)| change(partition, proposal));
        let answers = to_controller.alter_partitions(changes.collect()).await;
        let answers: Vec<Answer> = match answers {
            Ok(answers) => answers.into_iter().map(answer).collect(),
            Err(error) => {
                log::debug!(
                    "the controller was not asked for {} changes of ISRs: {error}",
                    asked.len()
                );
                vec![Answer::Unanswered; asked.len()]
            }
        };
        for ((partition, proposal), answer) in asked.into_iter().zip(&answers) {
            if take(&partition, &proposal, answer).await {
                add(&mut due, partition);
            }
        }
        match due.is_empty() {
            true => pause = FIRST_PAUSE,
            false => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn add(due: &mut Due, partition: Arc<Partition>) {
    due.insert(partition.topic_partition.clone(), partition);
}

/// What there still is to be asked.
fn proposals(due: Due) -> Vec<(Arc<Partition>, Proposal)> {
    let proposal = |partition: Arc<Partition>| {
        let proposal = partition.proposal()?;
        Some((partition, proposal))
    };
    due.into_values().filter_map(proposal).collect()
}

fn change(partition: &Partition, proposal: &Proposal) -> IsrChange {
    let topic = match partition.topic_id.is_zero() {
        true => TopicRef::Name(partition.topic_partition.topic.to_string()),
        false => TopicRef::Id(partition.topic_id),
    };
    IsrChange {
        topic,
        partition: partition.topic_partition.partition,
        leader_epoch: proposal.leader_epoch,
        partition_epoch: proposal.partition_epoch,
        isr: proposal.isr.clone(),
        leader_recovery_state: LeaderRecoveryState::Recovered,
    }
}

fn answer(answered: Result<AlteredPartition, ErrorCode>) -> Answer {
    match answered {
        Ok(altered) => Answer::Altered {
            leader_epoch: altered.leader_epoch,
            partition_epoch: altered.partition_epoch,
            isr: altered.isr,
        },
        Err(ErrorCode::INELIGIBLE_REPLICA | ErrorCode::OPERATION_NOT_ATTEMPTED) => Answer::Refused,
        Err(
            ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::INVALID_UPDATE_VERSION
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::NEW_LEADER_ELECTED,
        ) => Answer::Outdated,
        // Of a topic that the controller has not read yet, or has deleted: then this partition is about to go as well.
        Err(_) => Answer::Unanswered,
    }
}

/// Tells the leader; `true` where it asks again. The log's lock may be held for long, so not here.
async fn take(partition: &Arc<Partition>, proposal: &Proposal, answer: &Answer) -> bool {
    let isr = proposal.isr.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    match answer {
        Answer::Altered { isr, .. } => log::info!("{}: the ISR is {isr:?} now", partition.topic_partition),
        Answer::Refused | Answer::Outdated => log::info!(
            "{}: the controller does not make the ISR {isr:?}: {answer:?}",
            partition.topic_partition
        ),
        Answer::Unanswered => {}
    }
    let (partition, proposal, answer) = (partition.clone(), proposal.clone(), answer.clone());
    let taken = threads::spawn_blocking(move || partition.note_alter_answer(&proposal, &answer));
    taken.await.unwrap_or_else(|e| {
        log::error!("an answer of the controller was not taken over: {e}");
        true
    })
}
