//! DeleteRecords (key 21, versions 0–2): raise the log start offset of partitions. KIP-107.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message DeleteRecordsRequest { versions: 0..=2, flexible: 2.. }
    message DeleteRecordsResponse { versions: 0..=2, flexible: 2.. }

    struct DeleteRecordsRequest {
        topics: Vec<DeleteRecordsTopic>, versions: 0..;
        timeout_ms: i32, versions: 0..;
    }

    struct DeleteRecordsTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<DeleteRecordsPartition>, versions: 0..;
    }

    struct DeleteRecordsPartition {
        partition_index: i32, versions: 0..;
        offset: i64, versions: 0..;
    }

    struct DeleteRecordsResponse {
        throttle_time_ms: i32, versions: 0..;
        topics: Vec<DeleteRecordsTopicResult>, versions: 0..;
    }

    struct DeleteRecordsTopicResult {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<DeleteRecordsPartitionResult>, versions: 0..;
    }

    struct DeleteRecordsPartitionResult {
        partition_index: i32, versions: 0..;
        low_watermark: i64, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
