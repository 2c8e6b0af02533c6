//! AddPartitionsToTxn (key 24, versions 0–5): add partitions to a transaction, or verify that they are in one. KIP-98,
//! KIP-588, KIP-890.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message AddPartitionsToTxnRequest { versions: 0..=5, flexible: 3.. }
    message AddPartitionsToTxnResponse { versions: 0..=5, flexible: 3.. }

    struct AddPartitionsToTxnRequest {
        transactions: Vec<AddPartitionsToTxnTransaction>, versions: 4..;
        v3_and_below_transactional_id: Utf8Bytes, versions: 0..=3;
        v3_and_below_producer_id: i64, versions: 0..=3;
        v3_and_below_producer_epoch: i16, versions: 0..=3;
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic>, versions: 0..=3;
    }

    struct AddPartitionsToTxnTransaction {
        transactional_id: Utf8Bytes, versions: 4..;
        producer_id: i64, versions: 4..;
        producer_epoch: i16, versions: 4..;
        verify_only: bool, versions: 4..;
        topics: Vec<AddPartitionsToTxnTopic>, versions: 4..;
    }

    struct AddPartitionsToTxnTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct AddPartitionsToTxnResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 4.., ignorable: true;
        results_by_transaction: Vec<AddPartitionsToTxnResult>, versions: 4..;
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>, versions: 0..=3;
    }

    struct AddPartitionsToTxnResult {
        transactional_id: Utf8Bytes, versions: 4..;
        topic_results: Vec<AddPartitionsToTxnTopicResult>, versions: 4..;
    }

    struct AddPartitionsToTxnTopicResult {
        name: Utf8Bytes, versions: 0..;
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>, versions: 0..;
    }

    struct AddPartitionsToTxnPartitionResult {
        partition_index: i32, versions: 0..;
        partition_error_code: ErrorCode, versions: 0..;
    }
}
