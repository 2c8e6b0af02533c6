//! InitializeShareGroupState (key 83, version 0): start the persisted state of a share partition. KIP-932.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message InitializeShareGroupStateRequest { versions: 0..=0, flexible: 0.. }
    message InitializeShareGroupStateResponse { versions: 0..=0, flexible: 0.. }

    struct InitializeShareGroupStateRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<InitializeStateData>, versions: 0..;
    }

    struct InitializeStateData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition: i32, versions: 0..;
        state_epoch: i32, versions: 0..;
        start_offset: i64, versions: 0..;
    }

    struct InitializeShareGroupStateResponse {
        results: Vec<InitializeStateResult>, versions: 0..;
    }

    struct InitializeStateResult {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
