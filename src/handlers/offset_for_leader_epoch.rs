//! OffsetForLeaderEpoch (23), v0–4: where a leader epoch ends (KIP-101, KIP-279); consumers look for lost records with it (KIP-320).
//!
//! An epoch that is not known here has neither an epoch nor an end offset in its answer, and no error.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;

/// What this file serves.
pub const SERVED: Served = served!(OffsetForLeaderEpoch, 0..=4, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    if are_logs_free(broker, &request) {
        return answer(broker, request);
    }
    let (here, asked) = (broker.clone(), request.clone());
    let answered = broker.read_from_disk(move || answer(&here, asked)).await;
    answered.unwrap_or_else(|| {
        log::error!(client:% = context.client_ip(); "an OffsetForLeaderEpoch request broke off");
        refused(request)
    })
}

/// Whether no log that is asked about is held by a writer whose disk stalls.
fn are_logs_free(broker: &Broker, request: &OffsetForLeaderEpochRequest) -> bool {
    let mut topics = request.topics.iter();
    topics.all(|topic| {
        let mut partitions = topic.partitions.iter();
        partitions.all(|asked| broker.is_log_free(&topic.topic, asked.partition))
    })
}

fn refused(request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        partitions: topic
            .partitions
            .iter()
            .map(|asked| EpochEndOffset {
                error_code: ErrorCode::UNKNOWN_SERVER_ERROR,
                partition: asked.partition,
                ..Default::default()
            })
            .collect(),
        topic: topic.topic,
    });
    OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn answer(broker: &Broker, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        partitions: topic
            .partitions
            .iter()
            .map(|partition| end_offset(broker, &topic.topic, partition))
            .collect(),
        topic: topic.topic,
    });
    OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

fn end_offset(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = |error_code| EpochEndOffset {
        error_code,
        partition: asked.partition,
        ..Default::default()
    };
    let partition = match broker.hosted(topic, asked.partition) {
        Ok(partition) => partition,
        Err(code) => return answer(code),
    };
    if let Err(error) = partition.leader_state_in_epoch(asked.current_leader_epoch) {
        return answer(error.to_code());
    }
    let end = partition.log().end_offset_for_epoch(asked.leader_epoch);
    match end {
        Some(end) => EpochEndOffset {
            leader_epoch: end.epoch,
            end_offset: end.end_offset,
            ..answer(ErrorCode::NONE)
        },
        None => answer(ErrorCode::NONE),
    }
}
