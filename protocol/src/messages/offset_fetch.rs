//! OffsetFetch (key 9, versions 0–10): read committed offsets of groups. KIP-88, KIP-320, KIP-447, KIP-709, KIP-848.
//!
//! Kafka 3.9 knows 0–9, 4.3 1–10.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=10;

messages! {
    message OffsetFetchRequest { versions: 0..=10, flexible: 6.. }
    message OffsetFetchResponse { versions: 0..=10, flexible: 6.. }

    struct OffsetFetchRequest {
        group_id: Utf8Bytes, versions: 0..=7;
        topics: Option<Vec<OffsetFetchRequestTopic>>, versions: 0..=7, nullable: 2..=7, default: Some(Default::default());
        groups: Vec<OffsetFetchRequestGroup>, versions: 8..;
        require_stable: bool, versions: 7..;
    }

    struct OffsetFetchRequestTopic {
        name: Utf8Bytes, versions: 0..=7;
        partition_indexes: Vec<i32>, versions: 0..=7;
    }

    struct OffsetFetchRequestGroup {
        group_id: Utf8Bytes, versions: 8..;
        member_id: Option<Utf8Bytes>, versions: 9.., nullable: 9.., ignorable: true;
        member_epoch: i32, versions: 9.., default: -1, ignorable: true;
        topics: Option<Vec<OffsetFetchRequestTopics>>, versions: 8.., nullable: 8.., default: Some(Default::default());
    }

    struct OffsetFetchRequestTopics {
        name: Utf8Bytes, versions: 8..=9, ignorable: true;
        topic_id: Uuid, versions: 10.., ignorable: true;
        partition_indexes: Vec<i32>, versions: 8..;
    }

    struct OffsetFetchResponse {
        throttle_time_ms: i32, versions: 3.., ignorable: true;
        topics: Vec<OffsetFetchResponseTopic>, versions: 0..=7;
        error_code: ErrorCode, versions: 2..=7, ignorable: true;
        groups: Vec<OffsetFetchResponseGroup>, versions: 8..;
    }

    struct OffsetFetchResponseTopic {
        name: Utf8Bytes, versions: 0..=7;
        partitions: Vec<OffsetFetchResponsePartition>, versions: 0..=7;
    }

    struct OffsetFetchResponsePartition {
        partition_index: i32, versions: 0..=7;
        committed_offset: i64, versions: 0..=7;
        committed_leader_epoch: i32, versions: 5..=7, default: -1, ignorable: true;
        metadata: Option<Utf8Bytes>, versions: 0..=7, nullable: 0..=7, default: Some(Default::default());
        error_code: ErrorCode, versions: 0..=7;
    }

    struct OffsetFetchResponseGroup {
        group_id: Utf8Bytes, versions: 8..;
        topics: Vec<OffsetFetchResponseTopics>, versions: 8..;
        error_code: ErrorCode, versions: 8..;
    }

    struct OffsetFetchResponseTopics {
        name: Utf8Bytes, versions: 8..=9, ignorable: true;
        topic_id: Uuid, versions: 10.., ignorable: true;
        partitions: Vec<OffsetFetchResponsePartitions>, versions: 8..;
    }

    struct OffsetFetchResponsePartitions {
        partition_index: i32, versions: 8..;
        committed_offset: i64, versions: 8..;
        committed_leader_epoch: i32, versions: 8.., default: -1, ignorable: true;
        metadata: Option<Utf8Bytes>, versions: 8.., nullable: 8.., default: Some(Default::default());
        error_code: ErrorCode, versions: 8..;
    }
}
