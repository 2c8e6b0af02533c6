//! AlterReplicaLogDirs (key 34, versions 0–2): move replicas between a broker's log directories. KIP-113.
//!
//! Kafka 3.9 knows 0–2, 4.3 1–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message AlterReplicaLogDirsRequest { versions: 0..=2, flexible: 2.. }
    message AlterReplicaLogDirsResponse { versions: 0..=2, flexible: 2.. }

    struct AlterReplicaLogDirsRequest {
        dirs: Vec<AlterReplicaLogDir>, versions: 0..;
    }

    struct AlterReplicaLogDir {
        path: Utf8Bytes, versions: 0..;
        topics: Vec<AlterReplicaLogDirTopic>, versions: 0..;
    }

    struct AlterReplicaLogDirTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct AlterReplicaLogDirsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<AlterReplicaLogDirTopicResult>, versions: 0..;
    }

    struct AlterReplicaLogDirTopicResult {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<AlterReplicaLogDirPartitionResult>, versions: 0..;
    }

    struct AlterReplicaLogDirPartitionResult {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
