//! ShareGroupDescribe (key 77, versions 0–1): state and members of share groups. Version 0 is the early access of 3.9.
//! KIP-932.
//!
//! Kafka 3.9 knows 0, 4.3 1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message ShareGroupDescribeRequest { versions: 0..=1, flexible: 0.. }
    message ShareGroupDescribeResponse { versions: 0..=1, flexible: 0.. }

    struct ShareGroupDescribeRequest {
        group_ids: Vec<Utf8Bytes>, versions: 0..;
        include_authorized_operations: bool, versions: 0..;
    }

    struct ShareGroupDescribeResponse {
        throttle_time_ms: i32, versions: 0..;
        groups: Vec<DescribedGroup>, versions: 0..;
    }

    struct DescribedGroup {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        group_id: Utf8Bytes, versions: 0..;
        group_state: Utf8Bytes, versions: 0..;
        group_epoch: i32, versions: 0..;
        assignment_epoch: i32, versions: 0..;
        assignor_name: Utf8Bytes, versions: 0..;
        members: Vec<Member>, versions: 0..;
        authorized_operations: i32, versions: 0.., default: i32::MIN;
    }

    struct Member {
        member_id: Utf8Bytes, versions: 0..;
        rack_id: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        member_epoch: i32, versions: 0..;
        client_id: Utf8Bytes, versions: 0..;
        client_host: Utf8Bytes, versions: 0..;
        subscribed_topic_names: Vec<Utf8Bytes>, versions: 0..;
        assignment: Assignment, versions: 0..;
    }

    struct Assignment {
        topic_partitions: Vec<TopicPartitions>, versions: 0..;
    }

    struct TopicPartitions {
        topic_id: Uuid, versions: 0..;
        topic_name: Utf8Bytes, versions: 0..;
        partitions: Vec<i32>, versions: 0..;
    }
}
