//! CreatePartitions (key 37, versions 0–3): add partitions to topics. KIP-195, KIP-599.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message CreatePartitionsRequest { versions: 0..=3, flexible: 2.. }
    message CreatePartitionsResponse { versions: 0..=3, flexible: 2.. }

    struct CreatePartitionsRequest {
        topics: Vec<CreatePartitionsTopic>, versions: 0..;
        timeout_ms: i32, versions: 0..;
        validate_only: bool, versions: 0..;
    }

    struct CreatePartitionsTopic {
        name: Utf8Bytes, versions: 0..;
        count: i32, versions: 0..;
        assignments: Option<Vec<CreatePartitionsAssignment>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>, versions: 0..;
    }

    struct CreatePartitionsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<CreatePartitionsTopicResult>, versions: 0..;
    }

    struct CreatePartitionsTopicResult {
        name: Utf8Bytes, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
    }
}
