//! InitProducerId (key 22, versions 0–6): give a producer its id and epoch. KIP-98, KIP-360, KIP-588, KIP-890, KIP-939.
//!
//! Kafka 3.9 knows 0–5, 4.3 0–6.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;

messages! {
    message InitProducerIdRequest { versions: 0..=6, flexible: 2.. }
    message InitProducerIdResponse { versions: 0..=6, flexible: 2.. }

    struct InitProducerIdRequest {
        transactional_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        transaction_timeout_ms: i32, versions: 0..;
        producer_id: i64, versions: 3.., default: -1;
        producer_epoch: i16, versions: 3.., default: -1;
        enable2_pc: bool, versions: 6..;
        keep_prepared_txn: bool, versions: 6..;
    }

    struct InitProducerIdResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        producer_id: i64, versions: 0.., default: -1;
        producer_epoch: i16, versions: 0..;
        ongoing_txn_producer_id: i64, versions: 6.., default: -1;
        ongoing_txn_producer_epoch: i16, versions: 6.., default: -1;
    }
}
