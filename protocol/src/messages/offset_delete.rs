//! OffsetDelete (key 47, version 0): delete committed offsets of a group. KIP-496.

use crate::error_code::ErrorCode;
use crate::wire::{NEVER, Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message OffsetDeleteRequest { versions: 0..=0, flexible: NEVER }
    message OffsetDeleteResponse { versions: 0..=0, flexible: NEVER }

    struct OffsetDeleteRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<OffsetDeleteRequestTopic>, versions: 0..;
    }

    struct OffsetDeleteRequestTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<OffsetDeleteRequestPartition>, versions: 0..;
    }

    struct OffsetDeleteRequestPartition {
        partition_index: i32, versions: 0..;
    }

    struct OffsetDeleteResponse {
        error_code: ErrorCode, versions: 0..;
        throttle_time_ms: i32, versions: 0..;
        topics: Vec<OffsetDeleteResponseTopic>, versions: 0..;
    }

    struct OffsetDeleteResponseTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<OffsetDeleteResponsePartition>, versions: 0..;
    }

    struct OffsetDeleteResponsePartition {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
