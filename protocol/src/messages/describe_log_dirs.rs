//! DescribeLogDirs (key 35, versions 0–5): what lies in a broker's log directories. KIP-113, KIP-784, KIP-827,
//! KIP-1066.
//!
//! Kafka 3.9 knows 0–4, 4.3 1–5.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message DescribeLogDirsRequest { versions: 0..=5, flexible: 2.. }
    message DescribeLogDirsResponse { versions: 0..=5, flexible: 2.. }

    struct DescribeLogDirsRequest {
        topics: Option<Vec<DescribableLogDirTopic>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct DescribableLogDirTopic {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct DescribeLogDirsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 3.., ignorable: true;
        results: Vec<DescribeLogDirsResult>, versions: 0..;
    }

    struct DescribeLogDirsResult {
        error_code: ErrorCode, versions: 0..;
        log_dir: Utf8Bytes, versions: 0..;
        topics: Vec<DescribeLogDirsTopic>, versions: 0..;
        total_bytes: i64, versions: 4.., default: -1, ignorable: true;
        usable_bytes: i64, versions: 4.., default: -1, ignorable: true;
        is_cordoned: bool, versions: 5.., ignorable: true;
    }

    struct DescribeLogDirsTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<DescribeLogDirsPartition>, versions: 0..;
    }

    struct DescribeLogDirsPartition {
        partition_index: i32, versions: 0..;
        partition_size: i64, versions: 0..;
        offset_lag: i64, versions: 0..;
        is_future_key: bool, versions: 0..;
    }
}
