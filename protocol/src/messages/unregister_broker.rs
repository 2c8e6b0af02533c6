//! UnregisterBroker (key 64, version 0): take a broker out of a KRaft cluster. KIP-631.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message UnregisterBrokerRequest { versions: 0..=0, flexible: 0.. }
    message UnregisterBrokerResponse { versions: 0..=0, flexible: 0.. }

    struct UnregisterBrokerRequest {
        broker_id: i32, versions: 0..;
    }

    struct UnregisterBrokerResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
