//! ListTransactions (key 66, versions 0–2): the transactional ids that a broker coordinates. KIP-664, KIP-994,
//! KIP-1152.
//!
//! Kafka 3.9 knows 0–1, 4.3 0–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message ListTransactionsRequest { versions: 0..=2, flexible: 0.. }
    message ListTransactionsResponse { versions: 0..=2, flexible: 0.. }

    struct ListTransactionsRequest {
        state_filters: Vec<Utf8Bytes>, versions: 0..;
        producer_id_filters: Vec<i64>, versions: 0..;
        duration_filter: i64, versions: 1.., default: -1;
        transactional_id_pattern: Option<Utf8Bytes>, versions: 2.., nullable: 2..;
    }

    struct ListTransactionsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        unknown_state_filters: Vec<Utf8Bytes>, versions: 0..;
        transaction_states: Vec<TransactionState>, versions: 0..;
    }

    struct TransactionState {
        transactional_id: Utf8Bytes, versions: 0..;
        producer_id: i64, versions: 0..;
        transaction_state: Utf8Bytes, versions: 0..;
    }
}
