//! AlterPartition (key 56, versions 0–3): a leader asks the controller to change its ISR. KIP-497, KIP-704, KIP-841,
//! KIP-903.
//!
//! Kafka 3.9 knows 0–3, 4.3 2–3.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message AlterPartitionRequest { versions: 0..=3, flexible: 0.. }
    message AlterPartitionResponse { versions: 0..=3, flexible: 0.. }

    struct AlterPartitionRequest {
        broker_id: i32, versions: 0..;
        broker_epoch: i64, versions: 0.., default: -1;
        topics: Vec<AlterPartitionRequestTopicData>, versions: 0..;
    }

    struct AlterPartitionRequestTopicData {
        topic_name: Utf8Bytes, versions: 0..=1, ignorable: true;
        topic_id: Uuid, versions: 2.., ignorable: true;
        partitions: Vec<AlterPartitionRequestPartitionData>, versions: 0..;
    }

    struct AlterPartitionRequestPartitionData {
        partition_index: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        new_isr: Vec<i32>, versions: 0..=2;
        new_isr_with_epochs: Vec<BrokerState>, versions: 3..;
        leader_recovery_state: i8, versions: 1..;
        partition_epoch: i32, versions: 0..;
    }

    struct BrokerState {
        broker_id: i32, versions: 3..;
        broker_epoch: i64, versions: 3.., default: -1;
    }

    struct AlterPartitionResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        topics: Vec<AlterPartitionResponseTopicData>, versions: 0..;
    }

    struct AlterPartitionResponseTopicData {
        topic_name: Utf8Bytes, versions: 0..=1, ignorable: true;
        topic_id: Uuid, versions: 2.., ignorable: true;
        partitions: Vec<AlterPartitionResponsePartitionData>, versions: 0..;
    }

    struct AlterPartitionResponsePartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        isr: Vec<i32>, versions: 0..;
        leader_recovery_state: i8, versions: 1.., ignorable: true;
        partition_epoch: i32, versions: 0..;
    }
}
