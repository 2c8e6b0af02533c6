//! DescribeProducers (key 61, version 0): active producers of partitions. KIP-664.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DescribeProducersRequest { versions: 0..=0, flexible: 0.. }
    message DescribeProducersResponse { versions: 0..=0, flexible: 0.. }

    struct DescribeProducersRequest {
        topics: Vec<TopicRequest>, versions: 0..;
    }

    struct TopicRequest {
        name: Utf8Bytes, versions: 0..;
        partition_indexes: Vec<i32>, versions: 0..;
    }

    struct DescribeProducersResponse {
        throttle_time_ms: i32, versions: 0..;
        topics: Vec<TopicResponse>, versions: 0..;
    }

    struct TopicResponse {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<PartitionResponse>, versions: 0..;
    }

    struct PartitionResponse {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        active_producers: Vec<ProducerState>, versions: 0..;
    }

    struct ProducerState {
        producer_id: i64, versions: 0..;
        producer_epoch: i32, versions: 0..;
        last_sequence: i32, versions: 0.., default: -1;
        last_timestamp: i64, versions: 0.., default: -1;
        coordinator_epoch: i32, versions: 0..;
        current_txn_start_offset: i64, versions: 0.., default: -1;
    }
}
