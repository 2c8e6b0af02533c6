//! BeginQuorumEpoch (key 53, versions 0–1): a new Raft leader announces itself. KIP-595, KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message BeginQuorumEpochRequest { versions: 0..=1, flexible: 1.. }
    message BeginQuorumEpochResponse { versions: 0..=1, flexible: 1.. }

    struct BeginQuorumEpochRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        voter_id: i32, versions: 1.., default: -1, ignorable: true;
        topics: Vec<BeginQuorumEpochRequestTopicData>, versions: 0..;
        leader_endpoints: Vec<LeaderEndpoint>, versions: 1.., ignorable: true;
    }

    struct BeginQuorumEpochRequestTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<BeginQuorumEpochRequestPartitionData>, versions: 0..;
    }

    struct BeginQuorumEpochRequestPartitionData {
        partition_index: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 1.., ignorable: true;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct LeaderEndpoint {
        name: Utf8Bytes, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        port: u16, versions: 1..;
    }

    struct BeginQuorumEpochResponse {
        error_code: ErrorCode, versions: 0..;
        topics: Vec<BeginQuorumEpochResponseTopicData>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 1.., tag: 0, tagged: 1..;
    }

    struct BeginQuorumEpochResponseTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<BeginQuorumEpochResponsePartitionData>, versions: 0..;
    }

    struct BeginQuorumEpochResponsePartitionData {
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
