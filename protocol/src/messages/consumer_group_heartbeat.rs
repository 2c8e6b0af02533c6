//! ConsumerGroupHeartbeat (key 68, versions 0–1): membership of a consumer group of the new protocol. KIP-848,
//! KIP-1082.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message ConsumerGroupHeartbeatRequest { versions: 0..=1, flexible: 0.. }
    message ConsumerGroupHeartbeatResponse { versions: 0..=1, flexible: 0.. }

    struct ConsumerGroupHeartbeatRequest {
        group_id: Utf8Bytes, versions: 0..;
        member_id: Utf8Bytes, versions: 0..;
        member_epoch: i32, versions: 0..;
        instance_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        rack_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        rebalance_timeout_ms: i32, versions: 0.., default: -1;
        subscribed_topic_names: Option<Vec<Utf8Bytes>>, versions: 0.., nullable: 0..;
        subscribed_topic_regex: Option<Utf8Bytes>, versions: 1.., nullable: 1..;
        server_assignor: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        topic_partitions: Option<Vec<ConsumerGroupHeartbeatRequestTopicPartitions>>, versions: 0.., nullable: 0..;
    }

    struct ConsumerGroupHeartbeatRequestTopicPartitions {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }

    struct ConsumerGroupHeartbeatResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_epoch: i32, versions: 0..;
        heartbeat_interval_ms: i32, versions: 0..;
        assignment: Option<Assignment>, versions: 0.., nullable: 0..;
    }

    struct Assignment {
        topic_partitions: Vec<ConsumerGroupHeartbeatResponseTopicPartitions>, versions: 0..;
    }

    struct ConsumerGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
