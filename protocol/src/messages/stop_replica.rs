//! StopReplica (key 5, versions 0–4): the controller takes replicas off a broker. KIP-380, KIP-570, KIP-866.
//!
//! Kafka 3.9 knows it, 4.3 does not.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message StopReplicaRequest { versions: 0..=4, flexible: 2.. }
    message StopReplicaResponse { versions: 0..=4, flexible: 2.. }

    struct StopReplicaRequest {
        controller_id: i32, versions: 0..;
        is_kraft_controller: bool, versions: 4..;
        controller_epoch: i32, versions: 0..;
        broker_epoch: i64, versions: 1.., default: -1, ignorable: true;
        delete_partitions: bool, versions: 0..=2;
        ungrouped_partitions: Vec<StopReplicaPartitionV0>, versions: 0..=0;
        topics: Vec<StopReplicaTopicV1>, versions: 1..=2;
        topic_states: Vec<StopReplicaTopicState>, versions: 3..;
    }

    struct StopReplicaPartitionV0 {
        topic_name: Utf8Bytes, versions: 0..=0;
        partition_index: i32, versions: 0..=0;
    }

    struct StopReplicaTopicV1 {
        name: Utf8Bytes, versions: 1..=2;
        partition_indexes: Vec<i32>, versions: 1..=2;
    }

    struct StopReplicaTopicState {
        topic_name: Utf8Bytes, versions: 3..;
        partition_states: Vec<StopReplicaPartitionState>, versions: 3..;
    }

    struct StopReplicaPartitionState {
        partition_index: i32, versions: 3..;
        leader_epoch: i32, versions: 3.., default: -1;
        delete_partition: bool, versions: 3..;
    }

    struct StopReplicaResponse {
        error_code: ErrorCode, versions: 0..;
        partition_errors: Vec<StopReplicaPartitionError>, versions: 0..;
    }

    struct StopReplicaPartitionError {
        topic_name: Utf8Bytes, versions: 0..;
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
