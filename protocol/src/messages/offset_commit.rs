//! OffsetCommit (key 8, versions 0–10): commit offsets of a group. KIP-211, KIP-320, KIP-345, KIP-848, KIP-1074.
//!
//! Kafka 3.9 knows 0–9, 4.3 2–10.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=10;

messages! {
    message OffsetCommitRequest { versions: 0..=10, flexible: 8.. }
    message OffsetCommitResponse { versions: 0..=10, flexible: 8.. }

    struct OffsetCommitRequest {
        group_id: Utf8Bytes, versions: 0..;
        generation_id_or_member_epoch: i32, versions: 1.., default: -1, ignorable: true;
        member_id: Utf8Bytes, versions: 1.., ignorable: true;
        group_instance_id: Option<Utf8Bytes>, versions: 7.., nullable: 7..;
        retention_time_ms: i64, versions: 2..=4, default: -1, ignorable: true;
        topics: Vec<OffsetCommitRequestTopic>, versions: 0..;
    }

    struct OffsetCommitRequestTopic {
        name: Utf8Bytes, versions: 0..=9, ignorable: true;
        topic_id: Uuid, versions: 10.., ignorable: true;
        partitions: Vec<OffsetCommitRequestPartition>, versions: 0..;
    }

    struct OffsetCommitRequestPartition {
        partition_index: i32, versions: 0..;
        committed_offset: i64, versions: 0..;
        committed_leader_epoch: i32, versions: 6.., default: -1, ignorable: true;
        commit_timestamp: i64, versions: 1..=1, default: -1;
        committed_metadata: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct OffsetCommitResponse {
        throttle_time_ms: i32, versions: 3.., ignorable: true;
        topics: Vec<OffsetCommitResponseTopic>, versions: 0..;
    }

    struct OffsetCommitResponseTopic {
        name: Utf8Bytes, versions: 0..=9, ignorable: true;
        topic_id: Uuid, versions: 10.., ignorable: true;
        partitions: Vec<OffsetCommitResponsePartition>, versions: 0..;
    }

    struct OffsetCommitResponsePartition {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
