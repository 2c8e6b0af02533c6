//! DeleteShareGroupState (key 86, version 0): delete the persisted state of share partitions. KIP-932.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DeleteShareGroupStateRequest { versions: 0..=0, flexible: 0.. }
    message DeleteShareGroupStateResponse { versions: 0..=0, flexible: 0.. }

    struct DeleteShareGroupStateRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<DeleteStateData>, versions: 0..;
    }

    struct DeleteStateData {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition: i32, versions: 0..;
    }

    struct DeleteShareGroupStateResponse {
        results: Vec<DeleteStateResult>, versions: 0..;
    }

    struct DeleteStateResult {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
