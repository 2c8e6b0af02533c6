//! FindCoordinator (key 10, versions 0–6): find the coordinators of groups, transactions and share groups. KIP-98,
//! KIP-699, KIP-932.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;

messages! {
    message FindCoordinatorRequest { versions: 0..=6, flexible: 3.. }
    message FindCoordinatorResponse { versions: 0..=6, flexible: 3.. }

    struct FindCoordinatorRequest {
        key: Utf8Bytes, versions: 0..=3;
        key_type: i8, versions: 1..;
        coordinator_keys: Vec<Utf8Bytes>, versions: 4..;
    }

    struct FindCoordinatorResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 0..=3;
        error_message: Option<Utf8Bytes>, versions: 1..=3, nullable: 1..=3, default: Some(Default::default()), ignorable: true;
        node_id: i32, versions: 0..=3;
        host: Utf8Bytes, versions: 0..=3;
        port: i32, versions: 0..=3;
        coordinators: Vec<Coordinator>, versions: 4..;
    }

    struct Coordinator {
        key: Utf8Bytes, versions: 4..;
        node_id: i32, versions: 4..;
        host: Utf8Bytes, versions: 4..;
        port: i32, versions: 4..;
        error_code: ErrorCode, versions: 4..;
        error_message: Option<Utf8Bytes>, versions: 4.., nullable: 4.., default: Some(Default::default()), ignorable: true;
    }
}
