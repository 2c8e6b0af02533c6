//! Metadata (key 3, versions 0–13): brokers, topics, partitions and their leaders. KIP-430, KIP-516, KIP-700.
//!
//! Kafka 3.9 knows 0–12, 4.3 0–13.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;

messages! {
    message MetadataRequest { versions: 0..=13, flexible: 9.. }
    message MetadataResponse { versions: 0..=13, flexible: 9.. }

    struct MetadataRequest {
        topics: Option<Vec<MetadataRequestTopic>>, versions: 0.., nullable: 1.., default: Some(Default::default());
        allow_auto_topic_creation: bool, versions: 4.., default: true;
        include_cluster_authorized_operations: bool, versions: 8..=10;
        include_topic_authorized_operations: bool, versions: 8..;
    }

    struct MetadataRequestTopic {
        topic_id: Uuid, versions: 10.., ignorable: true;
        name: Option<Utf8Bytes>, versions: 0.., nullable: 10.., default: Some(Default::default());
    }

    struct MetadataResponse {
        throttle_time_ms: i32, versions: 3.., ignorable: true;
        brokers: Vec<MetadataResponseBroker>, versions: 0..;
        cluster_id: Option<Utf8Bytes>, versions: 2.., nullable: 2.., ignorable: true;
        controller_id: i32, versions: 1.., default: -1, ignorable: true;
        topics: Vec<MetadataResponseTopic>, versions: 0..;
        cluster_authorized_operations: i32, versions: 8..=10, default: i32::MIN;
        error_code: ErrorCode, versions: 13.., ignorable: true;
    }

    struct MetadataResponseBroker {
        node_id: i32, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
        rack: Option<Utf8Bytes>, versions: 1.., nullable: 1.., ignorable: true;
    }

    struct MetadataResponseTopic {
        error_code: ErrorCode, versions: 0..;
        name: Option<Utf8Bytes>, versions: 0.., nullable: 12.., default: Some(Default::default());
        topic_id: Uuid, versions: 10.., ignorable: true;
        is_internal: bool, versions: 1.., ignorable: true;
        partitions: Vec<MetadataResponsePartition>, versions: 0..;
        topic_authorized_operations: i32, versions: 8.., default: i32::MIN;
    }

    struct MetadataResponsePartition {
        error_code: ErrorCode, versions: 0..;
        partition_index: i32, versions: 0..;
        leader_id: i32, versions: 0..;
        leader_epoch: i32, versions: 7.., default: -1, ignorable: true;
        replica_nodes: Vec<i32>, versions: 0..;
        isr_nodes: Vec<i32>, versions: 0..;
        offline_replicas: Vec<i32>, versions: 5.., ignorable: true;
    }
}
