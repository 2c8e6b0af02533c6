//! ShareFetch (key 78, versions 0–2): acquire records for a share group. Version 0 is the early access of 3.9. KIP-932,
//! KIP-1206, KIP-1222.
//!
//! Kafka 3.9 knows 0, 4.3 1–2.

use crate::error_code::ErrorCode;
use crate::wire::{Chunk, Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message ShareFetchRequest { versions: 0..=2, flexible: 0.. }
    message ShareFetchResponse { versions: 0..=2, flexible: 0.. }

    struct ShareFetchRequest {
        group_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        share_session_epoch: i32, versions: 0..;
        max_wait_ms: i32, versions: 0..;
        min_bytes: i32, versions: 0..;
        max_bytes: i32, versions: 0.., default: i32::MAX;
        max_records: i32, versions: 1..;
        batch_size: i32, versions: 1..;
        share_acquire_mode: i8, versions: 2.., ignorable: true;
        is_renew_ack: bool, versions: 2..;
        topics: Vec<FetchTopic>, versions: 0..;
        forgotten_topics_data: Vec<ForgottenTopic>, versions: 0..;
    }

    struct FetchTopic {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<FetchPartition>, versions: 0..;
    }

    struct FetchPartition {
        partition_index: i32, versions: 0..;
        partition_max_bytes: i32, versions: 0..=0;
        acknowledgement_batches: Vec<AcknowledgementBatch>, versions: 0..;
    }

    struct AcknowledgementBatch {
        first_offset: i64, versions: 0..;
        last_offset: i64, versions: 0..;
        acknowledge_types: Vec<i8>, versions: 0..;
    }

    struct ForgottenTopic {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct ShareFetchResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        acquisition_lock_timeout_ms: i32, versions: 1..;
        responses: Vec<ShareFetchableTopicResponse>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 0..;
    }

    struct ShareFetchableTopicResponse {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        acknowledge_error_code: ErrorCode, versions: 0..;
        acknowledge_error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        current_leader: LeaderIdAndEpoch, versions: 0..;
        records: Option<Chunk>, versions: 0.., nullable: 0..=0;
        acquired_records: Vec<AcquiredRecords>, versions: 0..;
    }

    struct LeaderIdAndEpoch {
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct AcquiredRecords {
        first_offset: i64, versions: 0..;
        last_offset: i64, versions: 0..;
        delivery_count: i16, versions: 0..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
        rack: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
