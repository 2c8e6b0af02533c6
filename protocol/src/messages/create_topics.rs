//! CreateTopics (key 19, versions 0–7): create topics. KIP-4, KIP-464, KIP-516, KIP-525, KIP-599.
//!
//! Kafka 3.9 knows 0–7, 4.3 2–7.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=7;

messages! {
    message CreateTopicsRequest { versions: 0..=7, flexible: 5.. }
    message CreateTopicsResponse { versions: 0..=7, flexible: 5.. }

    struct CreateTopicsRequest {
        topics: Vec<CreatableTopic>, versions: 0..;
        timeout_ms: i32, versions: 0.., default: 60000;
        validate_only: bool, versions: 1..;
    }

    struct CreatableTopic {
        name: Utf8Bytes, versions: 0..;
        num_partitions: i32, versions: 0..;
        replication_factor: i16, versions: 0..;
        assignments: Vec<CreatableReplicaAssignment>, versions: 0..;
        configs: Vec<CreatableTopicConfig>, versions: 0..;
    }

    struct CreatableReplicaAssignment {
        partition_index: i32, versions: 0..;
        broker_ids: Vec<i32>, versions: 0..;
    }

    struct CreatableTopicConfig {
        name: Utf8Bytes, versions: 0..;
        value: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct CreateTopicsResponse {
        throttle_time_ms: i32, versions: 2.., ignorable: true;
        topics: Vec<CreatableTopicResult>, versions: 0..;
    }

    struct CreatableTopicResult {
        name: Utf8Bytes, versions: 0..;
        topic_id: Uuid, versions: 7.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 1.., nullable: 1.., default: Some(Default::default()), ignorable: true;
        topic_config_error_code: ErrorCode, versions: 5.., tag: 0, tagged: 5.., ignorable: true;
        num_partitions: i32, versions: 5.., default: -1, ignorable: true;
        replication_factor: i16, versions: 5.., default: -1, ignorable: true;
        configs: Option<Vec<CreatableTopicConfigs>>, versions: 5.., nullable: 5.., default: Some(Default::default()), ignorable: true;
    }

    struct CreatableTopicConfigs {
        name: Utf8Bytes, versions: 5..;
        value: Option<Utf8Bytes>, versions: 5.., nullable: 5.., default: Some(Default::default());
        read_only: bool, versions: 5..;
        config_source: i8, versions: 5.., default: -1, ignorable: true;
        is_sensitive: bool, versions: 5..;
    }
}
