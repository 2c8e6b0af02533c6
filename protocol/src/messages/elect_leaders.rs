//! ElectLeaders (key 43, versions 0–2): elect preferred or unclean leaders. KIP-183, KIP-460.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message ElectLeadersRequest { versions: 0..=2, flexible: 2.. }
    message ElectLeadersResponse { versions: 0..=2, flexible: 2.. }

    struct ElectLeadersRequest {
        election_type: i8, versions: 1..;
        topic_partitions: Option<Vec<TopicPartitions>>, versions: 0.., nullable: 0.., default: Some(Default::default());
        timeout_ms: i32, versions: 0.., default: 60000;
    }

    struct TopicPartitions {
        topic: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct ElectLeadersResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 1..;
        replica_election_results: Vec<ReplicaElectionResult>, versions: 0..;
    }

    struct ReplicaElectionResult {
        topic: Utf8Bytes, versions: 0..;
        partition_result: Vec<PartitionResult>, versions: 0..;
    }

    struct PartitionResult {
        partition_id: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
