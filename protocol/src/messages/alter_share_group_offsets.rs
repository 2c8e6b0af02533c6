//! AlterShareGroupOffsets (key 91, version 0): set start offsets of a share group. KIP-932.
//!
//! Not in Kafka 3.9.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message AlterShareGroupOffsetsRequest { versions: 0..=0, flexible: 0.. }
    message AlterShareGroupOffsetsResponse { versions: 0..=0, flexible: 0.. }

    struct AlterShareGroupOffsetsRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<AlterShareGroupOffsetsRequestTopic>, versions: 0..;
    }

    struct AlterShareGroupOffsetsRequestTopic {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<AlterShareGroupOffsetsRequestPartition>, versions: 0..;
    }

    struct AlterShareGroupOffsetsRequestPartition {
        partition_index: i32, versions: 0..;
        start_offset: i64, versions: 0..;
    }

    struct AlterShareGroupOffsetsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        responses: Vec<AlterShareGroupOffsetsResponseTopic>, versions: 0..;
    }

    struct AlterShareGroupOffsetsResponseTopic {
        topic_name: Utf8Bytes, versions: 0..;
        topic_id: Uuid, versions: 0..;
        partitions: Vec<AlterShareGroupOffsetsResponsePartition>, versions: 0..;
    }

    struct AlterShareGroupOffsetsResponsePartition {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
