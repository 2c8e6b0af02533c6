//! Fetch (key 1, versions 0–18): read record batches, as a consumer or as a follower. KIP-74, KIP-98, KIP-107, KIP-227,
//! KIP-320, KIP-392, KIP-516, KIP-595, KIP-903, KIP-951.
//!
//! Kafka 3.9 knows 0–17, 4.3 4–18.

use crate::error_code::ErrorCode;
use crate::wire::{Chunk, Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=18;

messages! {
    message FetchRequest { versions: 0..=18, flexible: 12.. }
    message FetchResponse { versions: 0..=18, flexible: 12.. }

    struct FetchRequest {
        cluster_id: Option<Utf8Bytes>, versions: 12.., nullable: 12.., tag: 0, tagged: 12.., ignorable: true;
        replica_id: i32, versions: 0..=14, default: -1;
        replica_state: ReplicaState, versions: 15.., tag: 1, tagged: 15..;
        max_wait_ms: i32, versions: 0..;
        min_bytes: i32, versions: 0..;
        max_bytes: i32, versions: 3.., default: i32::MAX, ignorable: true;
        isolation_level: i8, versions: 4.., ignorable: true;
        session_id: i32, versions: 7.., ignorable: true;
        session_epoch: i32, versions: 7.., default: -1, ignorable: true;
        topics: Vec<FetchTopic>, versions: 0..;
        forgotten_topics_data: Vec<ForgottenTopic>, versions: 7..;
        rack_id: Utf8Bytes, versions: 11.., ignorable: true;
    }

    struct ReplicaState {
        replica_id: i32, versions: 15.., default: -1;
        replica_epoch: i64, versions: 15.., default: -1;
    }

    struct FetchTopic {
        topic: Utf8Bytes, versions: 0..=12, ignorable: true;
        topic_id: Uuid, versions: 13.., ignorable: true;
        partitions: Vec<FetchPartition>, versions: 0..;
    }

    struct FetchPartition {
        partition: i32, versions: 0..;
        current_leader_epoch: i32, versions: 9.., default: -1, ignorable: true;
        fetch_offset: i64, versions: 0..;
        last_fetched_epoch: i32, versions: 12.., default: -1;
        log_start_offset: i64, versions: 5.., default: -1, ignorable: true;
        partition_max_bytes: i32, versions: 0..;
        replica_directory_id: Uuid, versions: 17.., tag: 0, tagged: 17.., ignorable: true;
        high_watermark: i64, versions: 18.., tag: 1, tagged: 18.., default: i64::MAX, ignorable: true;
    }

    struct ForgottenTopic {
        topic: Utf8Bytes, versions: 7..=12, ignorable: true;
        topic_id: Uuid, versions: 13.., ignorable: true;
        partitions: Vec<i32>, versions: 7..;
    }

    struct FetchResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        error_code: ErrorCode, versions: 7.., ignorable: true;
        session_id: i32, versions: 7..;
        responses: Vec<FetchableTopicResponse>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 16.., tag: 0, tagged: 16..;
    }

    struct FetchableTopicResponse {
        topic: Utf8Bytes, versions: 0..=12, ignorable: true;
        topic_id: Uuid, versions: 13.., ignorable: true;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        high_watermark: i64, versions: 0..;
        last_stable_offset: i64, versions: 4.., default: -1, ignorable: true;
        log_start_offset: i64, versions: 5.., default: -1, ignorable: true;
        diverging_epoch: EpochEndOffset, versions: 12.., tag: 0, tagged: 12..;
        current_leader: LeaderIdAndEpoch, versions: 12.., tag: 1, tagged: 12..;
        snapshot_id: SnapshotId, versions: 12.., tag: 2, tagged: 12..;
        aborted_transactions: Option<Vec<AbortedTransaction>>, versions: 4.., nullable: 4.., default: Some(Default::default()), ignorable: true;
        preferred_read_replica: i32, versions: 11.., default: -1;
        records: Option<Chunk>, versions: 0.., nullable: 0..;
    }

    struct EpochEndOffset {
        epoch: i32, versions: 12.., default: -1;
        end_offset: i64, versions: 12.., default: -1;
    }

    struct LeaderIdAndEpoch {
        leader_id: i32, versions: 12.., default: -1;
        leader_epoch: i32, versions: 12.., default: -1;
    }

    struct SnapshotId {
        end_offset: i64, versions: 0.., default: -1;
        epoch: i32, versions: 0.., default: -1;
    }

    struct AbortedTransaction {
        producer_id: i64, versions: 4..;
        first_offset: i64, versions: 4..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 16..;
        host: Utf8Bytes, versions: 16..;
        port: i32, versions: 16..;
        rack: Option<Utf8Bytes>, versions: 16.., nullable: 16..;
    }
}
