//! DescribeQuorum (key 55, versions 0–2): state of the Raft quorum. KIP-595, KIP-836, KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message DescribeQuorumRequest { versions: 0..=2, flexible: 0.. }
    message DescribeQuorumResponse { versions: 0..=2, flexible: 0.. }

    struct DescribeQuorumRequest {
        topics: Vec<DescribeQuorumRequestTopicData>, versions: 0..;
    }

    struct DescribeQuorumRequestTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<DescribeQuorumRequestPartitionData>, versions: 0..;
    }

    struct DescribeQuorumRequestPartitionData {
        partition_index: i32, versions: 0..;
    }

    struct DescribeQuorumResponse {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 2.., nullable: 2.., default: Some(Default::default()), ignorable: true;
        topics: Vec<DescribeQuorumResponseTopicData>, versions: 0..;
        nodes: Vec<Node>, versions: 2..;
    }

    struct DescribeQuorumResponseTopicData {
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<DescribeQuorumResponsePartitionData>, versions: 0..;
    }

    struct DescribeQuorumResponsePartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 2.., nullable: 2.., default: Some(Default::default()), ignorable: true;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        high_watermark: i64, versions: 0..;
        current_voters: Vec<ReplicaState>, versions: 0..;
        observers: Vec<ReplicaState>, versions: 0..;
    }

    struct ReplicaState {
        replica_id: i32, versions: 0..;
        replica_directory_id: Uuid, versions: 2..;
        log_end_offset: i64, versions: 0..;
        last_fetch_timestamp: i64, versions: 1.., default: -1, ignorable: true;
        last_caught_up_timestamp: i64, versions: 1.., default: -1, ignorable: true;
    }

    struct Node {
        node_id: i32, versions: 2..;
        listeners: Vec<Listener>, versions: 2..;
    }

    struct Listener {
        name: Utf8Bytes, versions: 2..;
        host: Utf8Bytes, versions: 2..;
        port: u16, versions: 2..;
    }
}
