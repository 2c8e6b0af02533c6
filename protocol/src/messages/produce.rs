//! Produce (key 0, versions 0–13): append record batches to partitions. KIP-32, KIP-98, KIP-467, KIP-516, KIP-951.
//!
//! Kafka 3.9 knows 0–11, 4.3 3–13.

use crate::error_code::ErrorCode;
use crate::wire::{Chunk, Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;

messages! {
    message ProduceRequest { versions: 0..=13, flexible: 9.. }
    message ProduceResponse { versions: 0..=13, flexible: 9.. }

    struct ProduceRequest {
        transactional_id: Option<Utf8Bytes>, versions: 3.., nullable: 3..;
        acks: i16, versions: 0..;
        timeout_ms: i32, versions: 0..;
        topic_data: Vec<TopicProduceData>, versions: 0..;
    }

    struct TopicProduceData {
        name: Utf8Bytes, versions: 0..=12, ignorable: true;
        topic_id: Uuid, versions: 13.., ignorable: true;
        partition_data: Vec<PartitionProduceData>, versions: 0..;
    }

    struct PartitionProduceData {
        index: i32, versions: 0..;
        records: Option<Chunk>, versions: 0.., nullable: 0..;
    }

    struct ProduceResponse {
        responses: Vec<TopicProduceResponse>, versions: 0..;
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        node_endpoints: Vec<NodeEndpoint>, versions: 10.., tag: 0, tagged: 10..;
    }

    struct TopicProduceResponse {
        name: Utf8Bytes, versions: 0..=12, ignorable: true;
        topic_id: Uuid, versions: 13.., ignorable: true;
        partition_responses: Vec<PartitionProduceResponse>, versions: 0..;
    }

    struct PartitionProduceResponse {
        index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        base_offset: i64, versions: 0..;
        log_append_time_ms: i64, versions: 2.., default: -1, ignorable: true;
        log_start_offset: i64, versions: 5.., default: -1, ignorable: true;
        record_errors: Vec<BatchIndexAndErrorMessage>, versions: 8.., ignorable: true;
        error_message: Option<Utf8Bytes>, versions: 8.., nullable: 8.., ignorable: true;
        current_leader: LeaderIdAndEpoch, versions: 10.., tag: 0, tagged: 10..;
    }

    struct BatchIndexAndErrorMessage {
        batch_index: i32, versions: 8..;
        batch_index_error_message: Option<Utf8Bytes>, versions: 8.., nullable: 8..;
    }

    struct LeaderIdAndEpoch {
        leader_id: i32, versions: 10.., default: -1;
        leader_epoch: i32, versions: 10.., default: -1;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 10..;
        host: Utf8Bytes, versions: 10..;
        port: i32, versions: 10..;
        rack: Option<Utf8Bytes>, versions: 10.., nullable: 10..;
    }
}
