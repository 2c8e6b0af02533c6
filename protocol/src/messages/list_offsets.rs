//! ListOffsets (key 2, versions 0–11): look up offsets by timestamp, and the ends of a log. KIP-79, KIP-207, KIP-320,
//! KIP-405, KIP-734, KIP-1005.
//!
//! Kafka 3.9 knows 0–9, 4.3 1–11.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=11;

messages! {
    message ListOffsetsRequest { versions: 0..=11, flexible: 6.. }
    message ListOffsetsResponse { versions: 0..=11, flexible: 6.. }

    struct ListOffsetsRequest {
        replica_id: i32, versions: 0..;
        isolation_level: i8, versions: 2..;
        topics: Vec<ListOffsetsTopic>, versions: 0..;
        timeout_ms: i32, versions: 10.., ignorable: true;
    }

    struct ListOffsetsTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<ListOffsetsPartition>, versions: 0..;
    }

    struct ListOffsetsPartition {
        partition_index: i32, versions: 0..;
        current_leader_epoch: i32, versions: 4.., default: -1, ignorable: true;
        timestamp: i64, versions: 0..;
        max_num_offsets: i32, versions: 0..=0, default: 1;
    }

    struct ListOffsetsResponse {
        throttle_time_ms: i32, versions: 2.., ignorable: true;
        topics: Vec<ListOffsetsTopicResponse>, versions: 0..;
    }

    struct ListOffsetsTopicResponse {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<ListOffsetsPartitionResponse>, versions: 0..;
    }

    struct ListOffsetsPartitionResponse {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        old_style_offsets: Vec<i64>, versions: 0..=0;
        timestamp: i64, versions: 1.., default: -1;
        offset: i64, versions: 1.., default: -1;
        leader_epoch: i32, versions: 4.., default: -1;
    }
}
