//! ControlledShutdown (key 7, versions 0–3): a broker that wants to stop asks the controller to move its leaders.
//! KIP-380.
//!
//! Kafka 3.9 knows it, 4.3 does not.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message ControlledShutdownRequest { versions: 0..=3, flexible: 3.. }
    message ControlledShutdownResponse { versions: 0..=3, flexible: 3.. }

    struct ControlledShutdownRequest {
        broker_id: i32, versions: 0..;
        broker_epoch: i64, versions: 2.., default: -1, ignorable: true;
    }

    struct ControlledShutdownResponse {
        error_code: ErrorCode, versions: 0..;
        remaining_partitions: Vec<RemainingPartition>, versions: 0..;
    }

    struct RemainingPartition {
        topic_name: Utf8Bytes, versions: 0..;
        partition_index: i32, versions: 0..;
    }
}
