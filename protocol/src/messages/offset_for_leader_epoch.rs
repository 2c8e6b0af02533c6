//! OffsetForLeaderEpoch (key 23, versions 0–4): where a leader epoch ends in the log. KIP-101, KIP-279, KIP-320.
//!
//! Kafka 3.9 knows 0–4, 4.3 2–4.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message OffsetForLeaderEpochRequest { versions: 0..=4, flexible: 4.. }
    message OffsetForLeaderEpochResponse { versions: 0..=4, flexible: 4.. }

    struct OffsetForLeaderEpochRequest {
        replica_id: i32, versions: 3.., default: -2, ignorable: true;
        topics: Vec<OffsetForLeaderTopic>, versions: 0..;
    }

    struct OffsetForLeaderTopic {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<OffsetForLeaderPartition>, versions: 0..;
    }

    struct OffsetForLeaderPartition {
        partition: i32, versions: 0..;
        current_leader_epoch: i32, versions: 2.., default: -1, ignorable: true;
        leader_epoch: i32, versions: 0..;
    }

    struct OffsetForLeaderEpochResponse {
        throttle_time_ms: i32, versions: 2.., ignorable: true;
        topics: Vec<OffsetForLeaderTopicResult>, versions: 0..;
    }

    struct OffsetForLeaderTopicResult {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<EpochEndOffset>, versions: 0..;
    }

    struct EpochEndOffset {
        error_code: ErrorCode, versions: 0..;
        partition: i32, versions: 0..;
        leader_epoch: i32, versions: 1.., default: -1, ignorable: true;
        end_offset: i64, versions: 0.., default: -1;
    }
}
