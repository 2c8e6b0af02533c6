//! AllocateProducerIds (key 67, version 0): a broker asks the controller for a block of producer ids. KIP-730.

use crate::error_code::ErrorCode;
use crate::wire::messages;

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message AllocateProducerIdsRequest { versions: 0..=0, flexible: 0.. }
    message AllocateProducerIdsResponse { versions: 0..=0, flexible: 0.. }

    struct AllocateProducerIdsRequest {
        broker_id: i32, versions: 0..;
        broker_epoch: i64, versions: 0.., default: -1;
    }

    struct AllocateProducerIdsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        producer_id_start: i64, versions: 0..;
        producer_id_len: i32, versions: 0..;
    }
}
