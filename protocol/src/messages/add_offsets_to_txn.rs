//! AddOffsetsToTxn (key 25, versions 0–4): add a group's offsets to a transaction. KIP-98, KIP-588, KIP-890.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message AddOffsetsToTxnRequest { versions: 0..=4, flexible: 3.. }
    message AddOffsetsToTxnResponse { versions: 0..=4, flexible: 3.. }

    struct AddOffsetsToTxnRequest {
        transactional_id: Utf8Bytes, versions: 0..;
        producer_id: i64, versions: 0..;
        producer_epoch: i16, versions: 0..;
        group_id: Utf8Bytes, versions: 0..;
    }

    struct AddOffsetsToTxnResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
