//! EndQuorumEpoch (key 54, versions 0–1): a Raft leader resigns. KIP-595, KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message EndQuorumEpochRequest { versions: 0..=1, flexible: 1.. }
    message EndQuorumEpochResponse { versions: 0..=1, flexible: 1.. }

    struct EndQuorumEpochRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        topics: Vec<EndQuorumEpochRequestTopicData>, versions: 0..;
        leader_endpoints: Vec<LeaderEndpoint>, versions: 1.., ignorable: true;
    }

    struct EndQuorumEpochRequestTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<EndQuorumEpochRequestPartitionData>, versions: 0..;
    }

    struct EndQuorumEpochRequestPartitionData {
        partition_index: i32, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        preferred_successors: Vec<i32>, versions: 0..=0, ignorable: true;
        preferred_candidates: Vec<ReplicaInfo>, versions: 1.., ignorable: true;
    }

    struct ReplicaInfo {
        candidate_id: i32, versions: 1..;
        candidate_directory_id: Uuid, versions: 1..;
    }

    struct LeaderEndpoint {
        name: Utf8Bytes, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        port: u16, versions: 1..;
    }

    struct EndQuorumEpochResponse {
        error_code: ErrorCode, versions: 0..;
        topics: Vec<EndQuorumEpochResponseTopicData>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 1.., tag: 0, tagged: 1..;
    }

    struct EndQuorumEpochResponseTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<EndQuorumEpochResponsePartitionData>, versions: 0..;
    }

    struct EndQuorumEpochResponsePartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        port: u16, versions: 1..;
    }
}
