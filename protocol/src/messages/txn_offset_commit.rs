//! TxnOffsetCommit (key 28, versions 0–5): commit offsets within a transaction. KIP-98, KIP-447, KIP-890.
//!
//! Kafka 3.9 knows 0–4, 4.3 0–5.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;

messages! {
    message TxnOffsetCommitRequest { versions: 0..=5, flexible: 3.. }
    message TxnOffsetCommitResponse { versions: 0..=5, flexible: 3.. }

    struct TxnOffsetCommitRequest {
        transactional_id: Utf8Bytes, versions: 0..;
        group_id: Utf8Bytes, versions: 0..;
        producer_id: i64, versions: 0..;
        producer_epoch: i16, versions: 0..;
        generation_id: i32, versions: 3.., default: -1;
        member_id: Utf8Bytes, versions: 3..;
        group_instance_id: Option<Utf8Bytes>, versions: 3.., nullable: 3..;
        topics: Vec<TxnOffsetCommitRequestTopic>, versions: 0..;
    }

    struct TxnOffsetCommitRequestTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<TxnOffsetCommitRequestPartition>, versions: 0..;
    }

    struct TxnOffsetCommitRequestPartition {
        partition_index: i32, versions: 0..;
        committed_offset: i64, versions: 0..;
        committed_leader_epoch: i32, versions: 2.., default: -1, ignorable: true;
        committed_metadata: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct TxnOffsetCommitResponse {
        throttle_time_ms: i32, versions: 0..;
        topics: Vec<TxnOffsetCommitResponseTopic>, versions: 0..;
    }

    struct TxnOffsetCommitResponseTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<TxnOffsetCommitResponsePartition>, versions: 0..;
    }

    struct TxnOffsetCommitResponsePartition {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
