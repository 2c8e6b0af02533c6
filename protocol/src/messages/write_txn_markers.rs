//! WriteTxnMarkers (key 27, versions 0–2): write a transaction's markers into its partitions. KIP-98, KIP-1228.
//!
//! Kafka 3.9 knows 0–1, 4.3 1–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message WriteTxnMarkersRequest { versions: 0..=2, flexible: 1.. }
    message WriteTxnMarkersResponse { versions: 0..=2, flexible: 1.. }

    struct WriteTxnMarkersRequest {
        markers: Vec<WritableTxnMarker>, versions: 0..;
    }

    struct WritableTxnMarker {
        producer_id: i64, versions: 0..;
        producer_epoch: i16, versions: 0..;
        transaction_result: bool, versions: 0..;
        topics: Vec<WritableTxnMarkerTopic>, versions: 0..;
        coordinator_epoch: i32, versions: 0..;
        transaction_version: i8, versions: 2.., ignorable: true;
    }

    struct WritableTxnMarkerTopic {
        name: Utf8Bytes, versions: 0..;
        partition_indexes: Vec<i32>, versions: 0..;
    }

    struct WriteTxnMarkersResponse {
        markers: Vec<WritableTxnMarkerResult>, versions: 0..;
    }

    struct WritableTxnMarkerResult {
        producer_id: i64, versions: 0..;
        topics: Vec<WritableTxnMarkerTopicResult>, versions: 0..;
    }

    struct WritableTxnMarkerTopicResult {
        name: Utf8Bytes, versions: 0..;
        partitions: Vec<WritableTxnMarkerPartitionResult>, versions: 0..;
    }

    struct WritableTxnMarkerPartitionResult {
        partition_index: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
