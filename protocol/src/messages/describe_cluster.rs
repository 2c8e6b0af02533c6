//! DescribeCluster (key 60, versions 0–2): brokers or controllers, and who is the controller. KIP-700, KIP-919,
//! KIP-1073.
//!
//! Kafka 3.9 knows 0–1, 4.3 0–2.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message DescribeClusterRequest { versions: 0..=2, flexible: 0.. }
    message DescribeClusterResponse { versions: 0..=2, flexible: 0.. }

    struct DescribeClusterRequest {
        include_cluster_authorized_operations: bool, versions: 0..;
        endpoint_type: i8, versions: 1.., default: 1;
        include_fenced_brokers: bool, versions: 2..;
    }

    struct DescribeClusterResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        endpoint_type: i8, versions: 1.., default: 1;
        cluster_id: Utf8Bytes, versions: 0..;
        controller_id: i32, versions: 0.., default: -1;
        brokers: Vec<DescribeClusterBroker>, versions: 0..;
        cluster_authorized_operations: i32, versions: 0.., default: i32::MIN;
    }

    struct DescribeClusterBroker {
        broker_id: i32, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
        rack: Option<Utf8Bytes>, versions: 0.., nullable: 0..;
        is_fenced: bool, versions: 2..;
    }
}
