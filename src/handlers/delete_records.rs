//! DeleteRecords (21), v0–2 (KIP-107): raises the log start offset; -1 means up to the high watermark.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use protocol::wire::Utf8Bytes;
use storage::LogStartOffsetError;
use tokio::time::Instant;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::handlers::to_code::ToCode;
use crate::partition::DeleteRecordsError;
use crate::threads;
use controller::topics::is_internal;

/// What this file serves.
pub const SERVED: Served = served!(DeleteRecords, 0..=2, handle);

const INVALID_LOW_WATERMARK: i64 = -1;
/// Between two looks at what followers have deleted.
const LOOK: Duration = Duration::from_millis(10);

type Asked = BTreeMap<Utf8Bytes, BTreeMap<i32, i64>>;

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let asked = asked(request);
    let here = broker.clone();
    let client = Client {
        id: context.client_id().to_owned(),
        ip: context.client_ip(),
    };
    let ip = client.ip;
    let unanswered = asked.clone();
    // Leader epochs are written down again, which waits for the disk.
    let deleted = threads::spawn_blocking(move || {
        answer(asked, |topic, partition, offset| {
            delete(&here, &client, topic, partition, offset)
        })
    });
    let mut response = deleted.await.unwrap_or_else(|e| {
        log::error!(client:% = ip; "a DeleteRecords request broke off: {e}");
        answer(unanswered, |_, _, _| Err(ErrorCode::UNKNOWN_SERVER_ERROR))
    });
    for topic in &mut response.topics {
        for result in topic
            .partitions
            .iter_mut()
            .filter(|it| it.error_code == ErrorCode::NONE)
        {
            await_followers(broker, &topic.name, result, deadline).await;
        }
    }
    response
}

/// The answer waits until the live followers have deleted the records as well, which they do with their next fetch; Kafka's
/// `DelayedDeleteRecords`.
async fn await_followers(broker: &Broker, topic: &str, result: &mut DeleteRecordsPartitionResult, deadline: Instant) {
    let deleted_before = result.low_watermark;
    loop {
        let partition = broker.replicas.get(topic, result.partition_index);
        let Some(low_watermark) = partition.and_then(|partition| partition.low_watermark()) else {
            result.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
            return;
        };
        if low_watermark >= deleted_before {
            result.low_watermark = low_watermark;
            return;
        }
        if Instant::now() >= deadline {
            result.low_watermark = low_watermark;
            result.error_code = ErrorCode::REQUEST_TIMED_OUT;
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Of a partition that stands in the request more than once the last offset counts, as in Kafka.
fn asked(request: DeleteRecordsRequest) -> Asked {
    let mut asked = Asked::new();
    for topic in request.topics {
        let of_topic = asked.entry(topic.name).or_default();
        of_topic.extend(topic.partitions.iter().map(|p| (p.partition_index, p.offset)));
    }
    asked
}

fn answer(asked: Asked, mut delete: impl FnMut(&str, i32, i64) -> Result<i64, ErrorCode>) -> DeleteRecordsResponse {
    let topics = asked.into_iter().map(|(name, partitions)| DeleteRecordsTopicResult {
        partitions: partitions
            .into_iter()
            .map(|(partition_index, offset)| {
                let (low_watermark, error_code) = match delete(&name, partition_index, offset) {
                    Ok(low_watermark) => (low_watermark, ErrorCode::NONE),
                    Err(code) => (INVALID_LOW_WATERMARK, code),
                };
                DeleteRecordsPartitionResult {
                    partition_index,
                    low_watermark,
                    error_code,
                }
            })
            .collect(),
        name,
    });
    DeleteRecordsResponse {
        topics: topics.collect(),
        ..Default::default()
    }
}

/// Who asks, for log lines.
struct Client {
    id: String,
    ip: IpAddr,
}

/// Returns the low watermark: the lowest log start offset of the partition's replicas, of which there is one.
fn delete(
    broker: &Broker,
    Client { id: client, ip }: &Client,
    topic: &str,
    index: i32,
    offset: i64,
) -> Result<i64, ErrorCode> {
    if !broker.metadata.contains(topic, index) {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    if is_internal(topic) {
        log::info!(client:% = ip; "client {client:?} may not delete records of the internal topic {topic}");
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let partition = broker.hosted(topic, index)?;
    partition.leader_state().map_err(|error| error.to_code())?;
    if !partition.config().topic.cleanup_policy.delete {
        log::info!(
            client:% = ip; "client {client:?} may not delete records of {topic}-{index}: its cleanup.policy does not say delete"
        );
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    match partition.delete_records_before(offset) {
        Ok(low_watermark) => {
            log::info!(client:% = ip; "client {client:?} deleted the records of {topic}-{index} before offset {low_watermark}");
            Ok(low_watermark)
        }
        Err(error) => {
            log::info!(client:% = ip; "client {client:?} could not delete records: {error}");
            if let DeleteRecordsError::Log(LogStartOffsetError::LogDir(failure)) = &error {
                broker.replicas.log_dir_failed(failure);
            }
            Err(error.to_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};

    use super::*;

    #[test]
    fn the_last_offset_of_a_partition_counts() {
        let topic = |offset| DeleteRecordsTopic {
            name: Utf8Bytes::from_static("t"),
            partitions: vec![DeleteRecordsPartition {
                partition_index: 3,
                offset,
            }],
        };
        let request = DeleteRecordsRequest {
            topics: vec![topic(10), topic(20)],
            ..Default::default()
        };
        let response = answer(asked(request), |_, _, offset| match offset {
            20 => Ok(20),
            _ => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        });
        assert_eq!(response.topics.len(), 1);
        let results = &response.topics[0].partitions;
        assert_eq!(
            (results.len(), results[0].low_watermark, results[0].error_code),
            (1, 20, ErrorCode::NONE)
        );
    }
}
