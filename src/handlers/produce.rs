//! Produce (0), v3–11: append records (magic 2). Idempotence (KIP-98), record errors (KIP-467), leader hints (KIP-951).
//!
//! ApiVersions lists it from version 0: librdkafka up to 2.11 otherwise drops compression in silence (KAFKA-18659). A request of
//! version 0 to 2 closes the connection, as any version that is not served.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceResponse,
};
use protocol::wire::{Chunk, Message, Reader, Utf8Bytes};
use protocol::{ApiKey, DecodeError, ErrorCode};
use storage::{AppendError, OnlyBatch, RecordError, ValidateError, ValidatedBatch};
use tokio::time::Instant;

use crate::broker::{Broker, Node};
use crate::dispatch::{RequestContext, Served, answer};
use crate::handlers::to_code::ToCode;
use crate::network::{Answer, Started};
use crate::partition::{AppendFailure, Appended, Commit, LeaderAppend, Partition, PendingAppend, PendingCommit};
use crate::threads;
use controller::topics::is_internal;

/// How this key is served.
pub const SERVED: Served = Served {
    key: ApiKey::Produce,
    min: 3,
    max: 11,
    listed_min: 0,
    start,
};

/// Compressed bytes of one request up to which they are inflated in the connection's own task.
const INLINE_COMPRESSED_BYTES: usize = 64 * 1024;
/// What each batch of such a request may become there: a small batch can hold a thousand times its size.
const INLINE_INFLATED_BYTES: usize = 256 * 1024;
/// Only the admin client may append to internal topics, as in Kafka.
const ADMIN_CLIENT_ID: &str = "__admin_client";

fn start(broker: &Arc<Broker>, context: RequestContext, mut reader: Reader) -> Result<Started, DecodeError> {
    let request = ProduceRequest::decode(&mut reader, context.version)?;
    let partitions = request.topic_data.iter().map(|topic| topic.partition_data.len());
    if context.names_too_many(partitions.sum()) {
        return Ok(Started::Ready(Answer::Close));
    }
    let produce = Produce {
        broker: broker.clone(),
        context,
    };
    if compressed_bytes(&request) <= INLINE_COMPRESSED_BYTES
        && let Some(checked) = produce.check(&request, Effort::Small)
    {
        return Ok(produce.append(checked, Acknowledgement::new(&request)));
    }
    Ok(Started::Gated(Box::pin(produce.append_elsewhere(request))))
}

/// What checking a batch may cost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// Only what delays nobody.
    Small,
    /// Whatever it takes.
    Any,
}

fn records(chunk: Option<&Chunk>) -> Bytes {
    chunk.and_then(Chunk::as_memory).cloned().unwrap_or_default()
}

/// Bytes of batches whose attributes name a codec.
fn compressed_bytes(request: &ProduceRequest) -> usize {
    const ATTRIBUTES_LOW_BYTE: usize = 22;
    let partitions = request.topic_data.iter().flat_map(|t| &t.partition_data);
    partitions
        .filter_map(|p| p.records.as_ref()?.as_memory())
        .filter(|records| {
            records
                .get(ATTRIBUTES_LOW_BYTE)
                .is_some_and(|attributes| attributes & 0x07 != 0)
        })
        .map(Bytes::len)
        .sum()
}

struct Produce {
    broker: Arc<Broker>,
    context: RequestContext,
}

/// One partition of the answer, or an append that another task still makes, or that is not committed yet.
enum Outcome {
    Done(PartitionProduceResponse),
    Pending {
        index: i32,
        partition: Arc<Partition>,
        append: PendingAppend,
    },
    Uncommitted {
        index: i32,
        partition: Arc<Partition>,
        append: LeaderAppend,
        commit: PendingCommit,
    },
}

/// What the producer wants to be done before it is answered.
#[derive(Clone, Copy)]
struct Acknowledgement {
    acks: i16,
    /// `acks=all` waits no longer for the commit.
    deadline: Instant,
}

impl Acknowledgement {
    fn new(request: &ProduceRequest) -> Self {
        let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
        Self {
            acks: request.acks,
            deadline: Instant::now() + Duration::from_millis(timeout_ms),
        }
    }

    fn awaits_commit(&self) -> bool {
        self.acks == -1
    }
}

type Outcomes = Vec<(Utf8Bytes, Vec<Outcome>)>;

/// A batch that may be appended, or one partition of the answer.
enum Checked {
    Refused(PartitionProduceResponse),
    Good {
        index: i32,
        partition: Arc<Partition>,
        batch: ValidatedBatch,
    },
}

type AllChecked = Vec<(Utf8Bytes, Vec<Checked>)>;

impl Produce {
    /// Inflating much takes long: not in a task that serves other connections. What this connection sends
    /// next waits, so that its records keep their order. As many do so at a time as there are cores: each may need as much
    /// memory as its batches become.
    async fn append_elsewhere(self, request: ProduceRequest) -> Started {
        let Ok(permit) = self.broker.heavy_validations.clone().acquire_owned().await else {
            return Started::Ready(Answer::Close);
        };
        let appended = threads::spawn_blocking(move || {
            let checked = self.check(&request, Effort::Any).unwrap_or_default();
            drop(permit);
            self.append(checked, Acknowledgement::new(&request))
        });
        appended.await.unwrap_or_else(|e| {
            log::error!("a Produce request broke off: {e}");
            Started::Ready(Answer::Close)
        })
    }

    /// Checks every batch; `None` when one of them takes more than `effort`.
    fn check(&self, request: &ProduceRequest, effort: Effort) -> Option<AllChecked> {
        let refusal = refusal_of_all(request);
        let mut checked: AllChecked = Vec::with_capacity(request.topic_data.len());
        for topic in &request.topic_data {
            let mut of_topic = Vec::with_capacity(topic.partition_data.len());
            for data in &topic.partition_data {
                of_topic.push(match refusal {
                    Some((code, ref message)) => Checked::Refused(refused(data.index, code, message.clone())),
                    None => {
                        let records = records(data.records.as_ref());
                        self.check_batch(&topic.name, data.index, records, request.acks, effort)?
                    }
                });
            }
            checked.push((topic.name.clone(), of_topic));
        }
        Some(checked)
    }

    /// In Kafka's order: what does not exist, what is no batch, what is wrong with the request, what may not be written, who leads,
    /// how many are in sync, and only then what is in the batch.
    fn check_batch(&self, topic: &str, index: i32, records: Bytes, acks: i16, effort: Effort) -> Option<Checked> {
        let done = |response| Some(Checked::Refused(response));
        let hosted = self.broker.replicas.get(topic, index);
        if hosted.is_none() && !self.broker.metadata.contains(topic, index) {
            return done(refused(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
        }
        let batch = match OnlyBatch::find(&records, self.context.version) {
            Ok(batch) => batch,
            Err(error) => return done(refused(index, error.to_code(), Some(error.to_string()))),
        };
        if let Some((code, message)) = refusal_before_append(topic, acks, self.context.client_id()) {
            return done(refused(index, code, message));
        }
        let Some(partition) = hosted else {
            return done(refused(index, self.broker.replicas.missing_code(), None));
        };
        if let Err(failure) = partition.may_append(acks) {
            return done(self.response(&partition, index, Err(failure)));
        }
        let checked = match effort {
            Effort::Small => partition.validate_if_cheap(batch, INLINE_INFLATED_BYTES),
            Effort::Any => partition.validate(batch).map(Some),
        };
        match checked {
            Ok(Some(batch)) => Some(Checked::Good {
                index,
                partition,
                batch,
            }),
            Ok(None) => None,
            Err(error) => done(self.refused_batch(&partition, index, &error)),
        }
    }

    fn refused_batch(&self, partition: &Partition, index: i32, error: &ValidateError) -> PartitionProduceResponse {
        log::debug!(
            client:% = self.context.client_ip();
            "{}: refused a batch of client {:?}: {error}",
            partition.topic_partition,
            self.context.client_id()
        );
        let mut response = refused(index, error.to_code(), Some(error.to_string()));
        if names_log_start_offset(error) {
            response.log_start_offset = partition.log_start_offset();
        }
        response.record_errors = record_errors(error).iter().map(record_error).collect();
        response
    }

    fn append(self, checked: AllChecked, acknowledgement: Acknowledgement) -> Started {
        let mut pending = false;
        let mut append = |one| match one {
            Checked::Refused(response) => Outcome::Done(response),
            Checked::Good {
                index,
                partition,
                batch,
            } => match partition.append_as_leader(batch, &self.context.request_memory) {
                Appended::Done(appended) => {
                    let outcome = self.when_committed(partition, index, appended, &acknowledgement);
                    pending |= !matches!(outcome, Outcome::Done(_));
                    outcome
                }
                Appended::Queued(append) => {
                    pending = true;
                    Outcome::Pending {
                        index,
                        partition,
                        append,
                    }
                }
            },
        };
        let of_topics = checked.into_iter();
        let outcomes: Outcomes = of_topics
            .map(|(name, of_topic)| (name, of_topic.into_iter().map(&mut append).collect()))
            .collect();
        if pending {
            return Started::Settling(Box::pin(
                async move { self.finish_pending(outcomes, acknowledgement).await },
            ));
        }
        let responses = outcomes.into_iter().map(|(name, of_topic)| TopicProduceResponse {
            name,
            partition_responses: of_topic.into_iter().filter_map(Outcome::done).collect(),
            ..Default::default()
        });
        Started::Ready(self.finish(responses.collect(), acknowledgement.acks))
    }

    /// What an append has come to; with `acks=all` only when it is committed.
    fn when_committed(
        &self,
        partition: Arc<Partition>,
        index: i32,
        appended: Result<LeaderAppend, AppendFailure>,
        acknowledgement: &Acknowledgement,
    ) -> Outcome {
        let append = match appended {
            Ok(append) if acknowledgement.awaits_commit() => append,
            appended => return Outcome::Done(self.response(&partition, index, appended)),
        };
        match partition.commit(&append) {
            Commit::Committed { .. } => Outcome::Done(self.response(&partition, index, Ok(append))),
            Commit::NotLeader => Outcome::Done(self.not_leader(&partition, index)),
            Commit::Awaited(commit) => Outcome::Uncommitted {
                index,
                partition,
                append,
                commit,
            },
        }
    }

    /// Leadership went before the append was committed: another leader may have cut it off.
    fn not_leader(&self, partition: &Partition, index: i32) -> PartitionProduceResponse {
        let failure = partition
            .leader_state()
            .map_or_else(AppendFailure::Leader, |state| AppendFailure::LedAnew {
                partition: partition.topic_partition.clone(),
                leader_epoch: state.leader_epoch.0,
            });
        self.response(partition, index, Err(failure))
    }

    fn response(
        &self,
        partition: &Partition,
        index: i32,
        outcome: Result<LeaderAppend, AppendFailure>,
    ) -> PartitionProduceResponse {
        match outcome {
            Ok(LeaderAppend { info, .. }) => PartitionProduceResponse {
                index,
                base_offset: info.first_offset,
                log_append_time_ms: info.log_append_time_ms,
                log_start_offset: info.log_start_offset,
                ..Default::default()
            },
            Err(failure) => {
                log::debug!(
                    client:% = self.context.client_ip();
                    "{}: refused an append of client {:?}: {failure}",
                    partition.topic_partition,
                    self.context.client_id()
                );
                self.broker.note_append_failure(&failure);
                let mut response = refused(index, failure.to_code(), Some(failure.to_string()));
                if is_about_records(&failure) {
                    response.log_start_offset = partition.log_start_offset();
                }
                if self.context.version >= 10 && response.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER {
                    let state = partition.state();
                    response.current_leader = LeaderIdAndEpoch {
                        leader_id: state.leader,
                        leader_epoch: state.leader_epoch.0,
                    };
                }
                response
            }
        }
    }

    async fn finish_pending(self, outcomes: Outcomes, acknowledgement: Acknowledgement) -> Answer {
        let mut responses = Vec::with_capacity(outcomes.len());
        for (name, of_topic) in outcomes {
            let mut partition_responses = Vec::with_capacity(of_topic.len());
            for outcome in of_topic {
                partition_responses.push(self.finish_one(outcome, &acknowledgement).await);
            }
            responses.push(TopicProduceResponse {
                name,
                partition_responses,
                ..Default::default()
            });
        }
        self.finish(responses, acknowledgement.acks)
    }

    async fn finish_one(&self, outcome: Outcome, acknowledgement: &Acknowledgement) -> PartitionProduceResponse {
        let outcome = match outcome {
            Outcome::Pending {
                index,
                partition,
                append,
            } => match append.outcome().await {
                Some(appended) => self.when_committed(partition, index, appended, acknowledgement),
                None => return refused(index, ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
            },
            outcome => outcome,
        };
        match outcome {
            Outcome::Done(response) => response,
            Outcome::Pending { index, .. } => refused(index, ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
            Outcome::Uncommitted {
                index,
                partition,
                append,
                commit,
            } => match tokio::time::timeout_at(acknowledgement.deadline, commit.high_watermark()).await {
                Ok(Some(_)) => self.response(&partition, index, Ok(append)),
                Ok(None) => self.not_leader(&partition, index),
                // It may be committed yet.
                Err(_) => PartitionProduceResponse {
                    error_code: ErrorCode::REQUEST_TIMED_OUT,
                    ..self.response(&partition, index, Ok(append))
                },
            },
        }
    }

    fn finish(&self, responses: Vec<TopicProduceResponse>, acks: i16) -> Answer {
        if acks == 0 {
            return self.finish_unacknowledged(&responses);
        }
        let partitions = responses.iter().flat_map(|t| &t.partition_responses);
        let leaders = partitions.map(|p| p.current_leader.leader_id);
        let endpoint = |node: Node| NodeEndpoint {
            node_id: node.id,
            host: Utf8Bytes::from(node.host),
            port: node.port,
            rack: node.rack.map(Utf8Bytes::from),
        };
        let named = self.broker.leaders(&self.context, leaders);
        let node_endpoints = named.into_iter().map(endpoint).collect();
        answer(
            &self.context,
            &ProduceResponse {
                responses,
                node_endpoints,
                ..Default::default()
            },
        )
    }

    /// A client that waits for no answer hears of an error by the end of its connection.
    fn finish_unacknowledged(&self, responses: &[TopicProduceResponse]) -> Answer {
        let failed = responses.iter().find_map(|topic| {
            let failed = topic
                .partition_responses
                .iter()
                .find(|p| p.error_code != ErrorCode::NONE)?;
            Some((&topic.name, failed))
        });
        let Some((topic, failed)) = failed else {
            return Answer::Nothing;
        };
        log::info!(
            client:% = self.context.client_ip();
            "closing the connection of {} (client {:?}): a Produce request with acks=0 failed on {topic}-{} with {}",
            self.context.connection.peer.ip(),
            self.context.client_id(),
            failed.index,
            failed.error_code.name(),
        );
        Answer::Close
    }
}

impl Outcome {
    fn done(self) -> Option<PartitionProduceResponse> {
        match self {
            Outcome::Done(response) => Some(response),
            Outcome::Pending { .. } | Outcome::Uncommitted { .. } => None,
        }
    }
}

/// What is wrong with the request as a whole: the first batch that is none, or that is of a transaction. Without an id nobody may write
/// inside one; with one, none was begun here: there is no coordinator yet.
fn refusal_of_all(request: &ProduceRequest) -> Option<(ErrorCode, Option<String>)> {
    let partitions = request.topic_data.iter().flat_map(|t| &t.partition_data);
    for records in partitions.filter_map(|p| p.records.as_ref()?.as_memory()) {
        match storage::is_transactional(records) {
            Ok(false) => {}
            Ok(true) if request.transactional_id.is_none() => {
                return Some((ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, None));
            }
            Ok(true) => return Some((ErrorCode::INVALID_TXN_STATE, None)),
            Err(error) => return Some((error.to_code(), Some(error.to_string()))),
        }
    }
    None
}

/// Why nothing is appended to a partition that exists.
fn refusal_before_append(topic: &str, acks: i16, client_id: &str) -> Option<(ErrorCode, Option<String>)> {
    if !matches!(acks, -1..=1) {
        return Some((ErrorCode::INVALID_REQUIRED_ACKS, None));
    }
    if is_internal(topic) && client_id != ADMIN_CLIENT_ID {
        let message = format!("Cannot append to internal topic {topic}");
        return Some((ErrorCode::INVALID_TOPIC_EXCEPTION, Some(message)));
    }
    None
}

fn refused(index: i32, error_code: ErrorCode, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code,
        base_offset: -1,
        error_message: message.map(Utf8Bytes::from),
        ..Default::default()
    }
}

/// Kafka's answers name it only where the batch itself is to blame (`ReplicaManager.appendToLocalLog`).
fn names_log_start_offset(error: &ValidateError) -> bool {
    match error {
        ValidateError::CorruptMessage { .. } | ValidateError::RecordTooLarge { .. } => false,
        ValidateError::InvalidRecord { .. }
        | ValidateError::InvalidTimestamp { .. }
        | ValidateError::TooMuchInflated { .. }
        | ValidateError::UnsupportedCompressionType { .. }
        | ValidateError::Undecodable { .. } => true,
    }
}

/// The same for what is found when a batch is appended.
fn is_about_records(failure: &AppendFailure) -> bool {
    match failure {
        AppendFailure::Leader(_) | AppendFailure::LedAnew { .. } => false,
        AppendFailure::NotEnoughReplicas { .. } => true,
        AppendFailure::Log(error) => match error {
            AppendError::LogDir(_)
            | AppendError::Closed { .. }
            | AppendError::RecordBatchTooLarge { .. }
            | AppendError::CorruptBatch { .. } => false,
            AppendError::OutOfOrderSequence { .. }
            | AppendError::InvalidProducerEpoch { .. }
            | AppendError::InvalidTxnState { .. }
            | AppendError::UnexpectedOffset { .. }
            | AppendError::OffsetsOutOfOrder { .. } => true,
        },
    }
}

fn record_errors(error: &ValidateError) -> &[RecordError] {
    match error {
        ValidateError::InvalidRecord { record_errors, .. } | ValidateError::InvalidTimestamp { record_errors } => {
            record_errors
        }
        ValidateError::CorruptMessage { .. }
        | ValidateError::RecordTooLarge { .. }
        | ValidateError::UnsupportedCompressionType { .. }
        | ValidateError::TooMuchInflated { .. }
        | ValidateError::Undecodable { .. } => &[],
    }
}

fn record_error(error: &RecordError) -> BatchIndexAndErrorMessage {
    BatchIndexAndErrorMessage {
        batch_index: error.batch_index,
        batch_index_error_message: Some(Utf8Bytes::from(&*error.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_are_looked_at_before_the_topic() {
        let code = |topic, acks, client_id| refusal_before_append(topic, acks, client_id).map(|(code, _)| code);
        assert_eq!(
            code("__consumer_offsets", 2, "c"),
            Some(ErrorCode::INVALID_REQUIRED_ACKS)
        );
        assert_eq!(
            code("__consumer_offsets", -1, "c"),
            Some(ErrorCode::INVALID_TOPIC_EXCEPTION)
        );
        assert_eq!(code("__consumer_offsets", -1, ADMIN_CLIENT_ID), None);
        assert_eq!(code("t", 1, "c"), None);
    }
}
