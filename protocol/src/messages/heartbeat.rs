//! Heartbeat (key 12, versions 0–4): stay a member of a classic group. KIP-345.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message HeartbeatRequest { versions: 0..=4, flexible: 4.. }
    message HeartbeatResponse { versions: 0..=4, flexible: 4.. }

    struct HeartbeatRequest {
        group_id: Utf8Bytes, versions: 0..;
        generation_id: i32, versions: 0..;
        member_id: Utf8Bytes, versions: 0..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3..;
    }

    struct HeartbeatResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
    }
}
