//! Vote (key 52, versions 0–2): ask for a vote in the Raft quorum. KIP-595, KIP-853, KIP-996.
//!
//! Kafka 3.9 knows 0–1, 4.3 0–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message VoteRequest { versions: 0..=2, flexible: 0.. }
    message VoteResponse { versions: 0..=2, flexible: 0.. }

    struct VoteRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        voter_id: i32, versions: 1.., default: -1, ignorable: true;
        topics: Vec<VoteRequestTopicData>, versions: 0..;
    }

    struct VoteRequestTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<VoteRequestPartitionData>, versions: 0..;
    }

    struct VoteRequestPartitionData {
        partition_index: i32, versions: 0..;
        replica_epoch: i32, versions: 0..;
        replica_id: i32, versions: 0..;
        replica_directory_id: Uuid, versions: 1.., ignorable: true;
        voter_directory_id: Uuid, versions: 1.., ignorable: true;
        last_offset_epoch: i32, versions: 0..;
        last_offset: i64, versions: 0..;
        pre_vote: bool, versions: 2..;
    }

    struct VoteResponse {
        error_code: ErrorCode, versions: 0..;
        topics: Vec<VoteResponseTopicData>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 1.., tag: 0, tagged: 1..;
    }

    struct VoteResponseTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<VoteResponsePartitionData>, versions: 0..;
    }

    struct VoteResponsePartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        vote_granted: bool, versions: 0..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        port: u16, versions: 1..;
    }
}
