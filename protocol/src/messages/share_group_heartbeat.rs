//! ShareGroupHeartbeat (key 76, versions 0–1): membership of a share group. Version 0 is the early access of 3.9.
//! KIP-932.
//!
//! Kafka 3.9 knows 0, 4.3 1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message ShareGroupHeartbeatRequest { versions: 0..=1, flexible: 0.. }
    message ShareGroupHeartbeatResponse { versions: 0..=1, flexible: 0.. }

    struct ShareGroupHeartbeatRequest {
        group_id: Utf8Bytes, versions: 0..;
        member_id: Utf8Bytes, versions: 0..;
        member_epoch: i32, versions: 0..;
        rack_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        subscribed_topic_names: Option<Vec<Utf8Bytes>>, versions: 0.., nullable: 0..;
    }

    struct ShareGroupHeartbeatResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_epoch: i32, versions: 0..;
        heartbeat_interval_ms: i32, versions: 0..;
        assignment: Option<Assignment>, versions: 0.., nullable: 0..;
    }

    struct Assignment {
        topic_partitions: Vec<TopicPartitions>, versions: 0..;
    }

    struct TopicPartitions {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
