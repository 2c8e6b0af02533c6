//! ReadShareGroupState (key 84, version 0): read the persisted state of share partitions. KIP-932.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message ReadShareGroupStateRequest { versions: 0..=0, flexible: 0.. }
    message ReadShareGroupStateResponse { versions: 0..=0, flexible: 0.. }

    struct ReadShareGroupStateRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<ReadStateData>, versions: 0..;
    }

    struct ReadStateData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct ReadShareGroupStateResponse {
        results: Vec<ReadStateResult>, versions: 0..;
    }

    struct ReadStateResult {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        state_epoch: i32, versions: 0..;
        start_offset: i64, versions: 0..;
        state_batches: Vec<StateBatch>, versions: 0..;
    }

    struct StateBatch {
        first_offset: i64, versions: 0..;
        last_offset: i64, versions: 0..;
        delivery_state: i8, versions: 0..;
        delivery_count: i16, versions: 0..;
    }
}
