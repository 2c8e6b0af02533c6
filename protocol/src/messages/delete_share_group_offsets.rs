//! DeleteShareGroupOffsets (key 92, version 0): forget start offsets of a share group. KIP-932.
//!
//! Not in Kafka 3.9.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DeleteShareGroupOffsetsRequest { versions: 0..=0, flexible: 0.. }
    message DeleteShareGroupOffsetsResponse { versions: 0..=0, flexible: 0.. }

    struct DeleteShareGroupOffsetsRequest {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<DeleteShareGroupOffsetsRequestTopic>, versions: 0..;
    }

    struct DeleteShareGroupOffsetsRequestTopic {
        topic_name: Utf8Bytes, versions: 0..;
    }

    struct DeleteShareGroupOffsetsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        responses: Vec<DeleteShareGroupOffsetsResponseTopic>, versions: 0..;
    }

    struct DeleteShareGroupOffsetsResponseTopic {
        topic_name: Utf8Bytes, versions: 0..;
        topic_id: Uuid, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
