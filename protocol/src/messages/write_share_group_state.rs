//! WriteShareGroupState (key 85, versions 0–1): write the persisted state of share partitions. KIP-932.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message WriteShareGroupStateRequest { versions: 0..=1, flexible: 0.. }
    message WriteShareGroupStateResponse { versions: 0..=1, flexible: 0.. }

    struct WriteShareGroupStateRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<WriteStateData>, versions: 0..;
    }

    struct WriteStateData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition: i32, versions: 0..;
        state_epoch: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        start_offset: i64, versions: 0..;
        delivery_complete_count: i32, versions: 1.., default: -1, ignorable: true;
        state_batches: Vec<StateBatch>, versions: 0..;
    }

    struct StateBatch {
        first_offset: i64, versions: 0..;
        last_offset: i64, versions: 0..;
        delivery_state: i8, versions: 0..;
        delivery_count: i16, versions: 0..;
    }

    struct WriteShareGroupStateResponse {
        results: Vec<WriteStateResult>, versions: 0..;
    }

    struct WriteStateResult {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
