//! EndTxn (key 26, versions 0–5): commit or abort a transaction. KIP-98, KIP-588, KIP-890.
//!
//! Kafka 3.9 knows 0–4, 4.3 0–5.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message EndTxnRequest { versions: 0..=5, flexible: 3.. }
    message EndTxnResponse { versions: 0..=5, flexible: 3.. }

    struct EndTxnRequest {
        transactional_id: Utf8Bytes, versions: 0..;
        producer_id: i64, versions: 0..;
        producer_epoch: i16, versions: 0..;
        committed: bool, versions: 0..;
    }

    struct EndTxnResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        producer_id: i64, versions: 5.., default: -1, ignorable: true;
        producer_epoch: i16, versions: 5.., default: -1, ignorable: true;
    }
}
