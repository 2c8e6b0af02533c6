//! ReadShareGroupStateSummary (key 87, versions 0–1): start offsets of share partitions. Version 0 as in 4.3: that of
//! 3.9 was unstable and differs. KIP-932.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message ReadShareGroupStateSummaryRequest { versions: 0..=1, flexible: 0.. }
    message ReadShareGroupStateSummaryResponse { versions: 0..=1, flexible: 0.. }

    struct ReadShareGroupStateSummaryRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<ReadStateSummaryData>, versions: 0..;
    }

    struct ReadStateSummaryData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct ReadShareGroupStateSummaryResponse {
        results: Vec<ReadStateSummaryResult>, versions: 0..;
    }

    struct ReadStateSummaryResult {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        state_epoch: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        start_offset: i64, versions: 0..;
        delivery_complete_count: i32, versions: 1.., default: -1, ignorable: true;
    }
}
