//! DescribeTransactions (key 65, version 0): state of transactional ids. KIP-664.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DescribeTransactionsRequest { versions: 0..=0, flexible: 0.. }
    message DescribeTransactionsResponse { versions: 0..=0, flexible: 0.. }

    struct DescribeTransactionsRequest {
        transactional_ids: Vec<Utf8Bytes>, versions: 0..;
    }

    struct DescribeTransactionsResponse {
        throttle_time_ms: i32, versions: 0..;
        transaction_states: Vec<TransactionState>, versions: 0..;
    }

    struct TransactionState {
        error_code: ErrorCode, versions: 0..;
        transactional_id: Utf8Bytes, versions: 0..;
        transaction_state: Utf8Bytes, versions: 0..;
        transaction_timeout_ms: i32, versions: 0..;
        transaction_start_time_ms: i64, versions: 0..;
        producer_id: i64, versions: 0..;
        producer_epoch: i16, versions: 0..;
        topics: Vec<TopicData>, versions: 0..;
    }

    struct TopicData {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
