//! LeaderAndIsr (key 4, versions 0–7): the controller tells a broker what it leads and follows. KIP-380, KIP-455,
//! KIP-516, KIP-704, KIP-866.
//!
//! Kafka 3.9 knows it, 4.3 does not.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=7;

messages! {
    message LeaderAndIsrRequest { versions: 0..=7, flexible: 4.. }
    message LeaderAndIsrResponse { versions: 0..=7, flexible: 4.. }

    struct LeaderAndIsrRequest {
        controller_id: i32, versions: 0..;
        is_kraft_controller: bool, versions: 7..;
        controller_epoch: i32, versions: 0..;
        broker_epoch: i64, versions: 2.., default: -1, ignorable: true;
        r#type: i8, versions: 5..;
        ungrouped_partition_states: Vec<LeaderAndIsrPartitionState>, versions: 0..=1;
        topic_states: Vec<LeaderAndIsrTopicState>, versions: 2..;
        live_leaders: Vec<LeaderAndIsrLiveLeader>, versions: 0..;
    }

    struct LeaderAndIsrPartitionState {
        topic_name: Utf8Bytes, versions: 0..=1, ignorable: true;
        partition_index: i32, versions: 0..;
        controller_epoch: i32, versions: 0..;
        leader: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        isr: Vec<i32>, versions: 0..;
        partition_epoch: i32, versions: 0..;
        replicas: Vec<i32>, versions: 0..;
        adding_replicas: Vec<i32>, versions: 3.., ignorable: true;
        removing_replicas: Vec<i32>, versions: 3.., ignorable: true;
        is_new: bool, versions: 1.., ignorable: true;
        leader_recovery_state: i8, versions: 6..;
    }

    struct LeaderAndIsrTopicState {
        topic_name: Utf8Bytes, versions: 2..;
        topic_id: Uuid, versions: 5.., ignorable: true;
        partition_states: Vec<LeaderAndIsrPartitionState>, versions: 2..;
    }

    struct LeaderAndIsrLiveLeader {
        broker_id: i32, versions: 0..;
        host_name: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
    }

    struct LeaderAndIsrResponse {
        error_code: ErrorCode, versions: 0..;
        partition_errors: Vec<LeaderAndIsrPartitionError>, versions: 0..=4;
        topics: Vec<LeaderAndIsrTopicError>, versions: 5..;
    }

    struct LeaderAndIsrPartitionError {
        topic_name: Utf8Bytes, versions: 0..=4, ignorable: true;
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }

    struct LeaderAndIsrTopicError {
        topic_id: Uuid, versions: 5..;
        partition_errors: Vec<LeaderAndIsrPartitionError>, versions: 5..;
    }
}
