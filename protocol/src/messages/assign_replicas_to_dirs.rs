//! AssignReplicasToDirs (key 73, version 0): a broker reports in which log directories its replicas lie. KIP-858.

use crate::error_code::ErrorCode;
use crate::wire::{Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message AssignReplicasToDirsRequest { versions: 0..=0, flexible: 0.. }
    message AssignReplicasToDirsResponse { versions: 0..=0, flexible: 0.. }

    struct AssignReplicasToDirsRequest {
        broker_id: i32, versions: 0..;
        broker_epoch: i64, versions: 0.., default: -1;
        directories: Vec<AssignReplicasToDirsRequestDirectoryData>, versions: 0..;
    }

    struct AssignReplicasToDirsRequestDirectoryData {
        id: Uuid, versions: 0..;
        topics: Vec<AssignReplicasToDirsRequestTopicData>, versions: 0..;
    }

    struct AssignReplicasToDirsRequestTopicData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<AssignReplicasToDirsRequestPartitionData>, versions: 0..;
    }

    struct AssignReplicasToDirsRequestPartitionData {
        partition_index: i32, versions: 0..;
    }

    struct AssignReplicasToDirsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        directories: Vec<AssignReplicasToDirsResponseDirectoryData>, versions: 0..;
    }

    struct AssignReplicasToDirsResponseDirectoryData {
        id: Uuid, versions: 0..;
        topics: Vec<AssignReplicasToDirsResponseTopicData>, versions: 0..;
    }

    struct AssignReplicasToDirsResponseTopicData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<AssignReplicasToDirsResponsePartitionData>, versions: 0..;
    }

    struct AssignReplicasToDirsResponsePartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
