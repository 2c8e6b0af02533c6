//! DeleteTopics (key 20, versions 0–6): delete topics by name or id. KIP-4, KIP-516, KIP-599.
//!
//! Kafka 3.9 knows 0–6, 4.3 1–6.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;

messages! {
    message DeleteTopicsRequest { versions: 0..=6, flexible: 4.. }
    message DeleteTopicsResponse { versions: 0..=6, flexible: 4.. }

    struct DeleteTopicsRequest {
        topics: Vec<DeleteTopicState>, versions: 6..;
        topic_names: Vec<Utf8Bytes>, versions: 0..=5, ignorable: true;
        timeout_ms: i32, versions: 0..;
    }

    struct DeleteTopicState {
        name: Option<Utf8Bytes>, versions: 6.., nullable: 6..;
        topic_id: Uuid, versions: 6..;
    }

    struct DeleteTopicsResponse {
        throttle_time_ms: i32, versions: 1.., ignorable: true;
        responses: Vec<DeletableTopicResult>, versions: 0..;
    }

    struct DeletableTopicResult {
        name: Option<Utf8Bytes>, versions: 0.., nullable: 6.., default: Some(Default::default());
        topic_id: Uuid, versions: 6.., ignorable: true;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 5.., nullable: 5.., ignorable: true;
    }
}
