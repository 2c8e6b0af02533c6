//! FetchSnapshot (key 59, versions 0–1): read a snapshot of the Raft log. KIP-630, KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Chunk, Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message FetchSnapshotRequest { versions: 0..=1, flexible: 0.. }
    message FetchSnapshotResponse { versions: 0..=1, flexible: 0.. }

    struct FetchSnapshotRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., tag: 0, tagged: 0..;
        replica_id: i32, versions: 0.., default: -1;
        max_bytes: i32, versions: 0.., default: i32::MAX;
        topics: Vec<FetchSnapshotRequestTopicSnapshot>, versions: 0..;
    }

    struct FetchSnapshotRequestTopicSnapshot {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<FetchSnapshotRequestPartitionSnapshot>, versions: 0..;
    }

    struct FetchSnapshotRequestPartitionSnapshot {
        partition: i32, versions: 0..;
        current_leader_epoch: i32, versions: 0..;
        snapshot_id: FetchSnapshotRequestSnapshotId, versions: 0..;
        position: i64, versions: 0..;
        replica_directory_id: Uuid, versions: 1.., tag: 0, tagged: 1.., ignorable: true;
    }

    struct FetchSnapshotRequestSnapshotId {
        end_offset: i64, versions: 0..;
        epoch: i32, versions: 0..;
    }

    struct FetchSnapshotResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        topics: Vec<FetchSnapshotResponseTopicSnapshot>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 1.., tag: 0, tagged: 1..;
    }

    struct FetchSnapshotResponseTopicSnapshot {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<FetchSnapshotResponsePartitionSnapshot>, versions: 0..;
    }

    struct FetchSnapshotResponsePartitionSnapshot {
        index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        snapshot_id: FetchSnapshotResponseSnapshotId, versions: 0..;
        current_leader: LeaderIdAndEpoch, versions: 0.., tag: 0, tagged: 0..;
        size: i64, versions: 0..;
        position: i64, versions: 0..;
        unaligned_records: Option<Chunk>, versions: 0..;
    }

    struct FetchSnapshotResponseSnapshotId {
        end_offset: i64, versions: 0..;
        epoch: i32, versions: 0..;
    }

    struct LeaderIdAndEpoch {
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        port: u16, versions: 1..;
    }
}
