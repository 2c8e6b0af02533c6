//! DescribeShareGroupOffsets (key 90, versions 0–1): start offsets of share groups. KIP-932, KIP-1226.
//!
//! Not in Kafka 3.9.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message DescribeShareGroupOffsetsRequest { versions: 0..=1, flexible: 0.. }
    message DescribeShareGroupOffsetsResponse { versions: 0..=1, flexible: 0.. }

    struct DescribeShareGroupOffsetsRequest {
        groups: Vec<DescribeShareGroupOffsetsRequestGroup>, versions: 0..;
    }

    struct DescribeShareGroupOffsetsRequestGroup {
        group_id: Utf8Bytes, versions: 0..;
        topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct DescribeShareGroupOffsetsRequestTopic {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct DescribeShareGroupOffsetsResponse {
        throttle_time_ms: i32, versions: 0..;
        groups: Vec<DescribeShareGroupOffsetsResponseGroup>, versions: 0..;
    }

    struct DescribeShareGroupOffsetsResponseGroup {
        group_id: Utf8Bytes, versions: 0..;
        topics: Vec<DescribeShareGroupOffsetsResponseTopic>, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }

    struct DescribeShareGroupOffsetsResponseTopic {
        topic_name: Utf8Bytes, versions: 0..;
        topic_id: Uuid, versions: 0..;
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition>, versions: 0..;
    }

    struct DescribeShareGroupOffsetsResponsePartition {
        partition_index: i32, versions: 0..;
        start_offset: i64, versions: 0..;
        leader_epoch: i32, versions: 0..;
        lag: i64, versions: 1.., default: -1, ignorable: true;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
