//! ListPartitionReassignments (key 46, version 0): reassignments under way. KIP-455.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message ListPartitionReassignmentsRequest { versions: 0..=0, flexible: 0.. }
    message ListPartitionReassignmentsResponse { versions: 0..=0, flexible: 0.. }

    struct ListPartitionReassignmentsRequest {
        timeout_ms: i32, versions: 0.., default: 60000;
        topics: Option<Vec<ListPartitionReassignmentsTopics>>, versions: 0.., nullable: 0..;
    }

    struct ListPartitionReassignmentsTopics {
        name: Utf8Bytes, versions: 0..;
        partition_indexes: Vec<i32>, versions: 0..;
    }

    struct ListPartitionReassignmentsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        topics: Vec<OngoingTopicReassignment>, versions: 0..;
    }

    struct OngoingTopicReassignment {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<OngoingPartitionReassignment>, versions: 0..;
    }

    struct OngoingPartitionReassignment {
        partition_index: i32, versions: 0..;
        replicas: Vec<i32>, versions: 0..;
        adding_replicas: Vec<i32>, versions: 0..;
        removing_replicas: Vec<i32>, versions: 0..;
    }
}
