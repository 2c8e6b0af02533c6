//! DescribeTopicPartitions (key 75, version 0): topics and partitions page by page, with eligible leader replicas.
//! KIP-966.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DescribeTopicPartitionsRequest { versions: 0..=0, flexible: 0.. }
    message DescribeTopicPartitionsResponse { versions: 0..=0, flexible: 0.. }

    struct DescribeTopicPartitionsRequest {
        topics: Vec<TopicRequest>, versions: 0..;
        response_partition_limit: i32, versions: 0.., default: 2000;
        cursor: Option<DescribeTopicPartitionsRequestCursor>, versions: 0.., nullable: 0..;
    }

    struct TopicRequest {
        name: Utf8Bytes, versions: 0..;
    }

    struct DescribeTopicPartitionsRequestCursor {
        topic_name: Utf8Bytes, versions: 0..;
        partition_index: i32, versions: 0..;
    }

    struct DescribeTopicPartitionsResponse {
        throttle_time_ms: i32, versions: 0..;
        topics: Vec<DescribeTopicPartitionsResponseTopic>, versions: 0..;
        next_cursor: Option<DescribeTopicPartitionsResponseCursor>, versions: 0.., nullable: 0..;
    }

    struct DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode, versions: 0..;
        name: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        topic_id: Uuid, versions: 0..;
        is_internal: bool, versions: 0..;
        partitions: Vec<DescribeTopicPartitionsResponsePartition>, versions: 0..;
        topic_authorized_operations: i32, versions: 0.., default: i32::MIN;
    }

    struct DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode, versions: 0..;
        partition_index: i32, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 0.., default: -1;
        replica_nodes: Vec<i32>, versions: 0..;
        isr_nodes: Vec<i32>, versions: 0..;
        eligible_leader_replicas: Option<Vec<i32>>, versions: 0.., nullable: 0..;
        last_known_elr: Option<Vec<i32>>, versions: 0.., nullable: 0..;
        offline_replicas: Vec<i32>, versions: 0..;
    }

    struct DescribeTopicPartitionsResponseCursor {
        topic_name: Utf8Bytes, versions: 0..;
        partition_index: i32, versions: 0..;
    }
}
