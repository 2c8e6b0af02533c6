//! AlterPartitionReassignments (key 45, versions 0–1): start and cancel reassignments of partitions. KIP-455, KIP-860.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message AlterPartitionReassignmentsRequest { versions: 0..=1, flexible: 0.. }
    message AlterPartitionReassignmentsResponse { versions: 0..=1, flexible: 0.. }

    struct AlterPartitionReassignmentsRequest {
        timeout_ms: i32, versions: 0.., default: 60000;
        allow_replication_factor_change: bool, versions: 1.., default: true;
        topics: Vec<ReassignableTopic>, versions: 0..;
    }

    struct ReassignableTopic {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<ReassignablePartition>, versions: 0..;
    }

    struct ReassignablePartition {
        partition_index: i32, versions: 0..;
        replicas: Option<Vec<i32>>, versions: 0.., nullable: 0..;
    }

    struct AlterPartitionReassignmentsResponse {
        throttle_time_ms: i32, versions: 0..;
        allow_replication_factor_change: bool, versions: 1.., default: true, ignorable: true;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        responses: Vec<ReassignableTopicResponse>, versions: 0..;
    }

    struct ReassignableTopicResponse {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<ReassignablePartitionResponse>, versions: 0..;
    }

    struct ReassignablePartitionResponse {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
