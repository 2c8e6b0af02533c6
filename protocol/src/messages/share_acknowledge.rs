//! ShareAcknowledge (key 79, versions 0–2): acknowledge records of a share group. Version 0 is the early access of 3.9.
//! KIP-932, KIP-1222.
//!
//! Kafka 3.9 knows 0, 4.3 1–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message ShareAcknowledgeRequest { versions: 0..=2, flexible: 0.. }
    message ShareAcknowledgeResponse { versions: 0..=2, flexible: 0.. }

    struct ShareAcknowledgeRequest {
        group_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        share_session_epoch: i32, versions: 0..;
        is_renew_ack: bool, versions: 2..;
        topics: Vec<AcknowledgeTopic>, versions: 0..;
    }

    struct AcknowledgeTopic {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<AcknowledgePartition>, versions: 0..;
    }

    struct AcknowledgePartition {
        partition_index: i32, versions: 0..;
        acknowledgement_batches: Vec<AcknowledgementBatch>, versions: 0..;
    }

    struct AcknowledgementBatch {
        first_offset: i64, versions: 0..;
        last_offset: i64, versions: 0..;
        acknowledge_types: Vec<i8>, versions: 0..;
    }

    struct ShareAcknowledgeResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        acquisition_lock_timeout_ms: i32, versions: 2.., ignorable: true;
        responses: Vec<ShareAcknowledgeTopicResponse>, versions: 0..;
        node_endpoints: Vec<NodeEndpoint>, versions: 0..;
    }

    struct ShareAcknowledgeTopicResponse {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<PartitionData>, versions: 0..;
    }

    struct PartitionData {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        current_leader: LeaderIdAndEpoch, versions: 0..;
    }

    struct LeaderIdAndEpoch {
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
    }

    struct NodeEndpoint {
        node_id: i32, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
        rack: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
