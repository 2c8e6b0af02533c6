//! UpdateMetadata (key 6, versions 0–8): the controller tells brokers about the cluster. KIP-103, KIP-112, KIP-380,
//! KIP-516, KIP-866.
//!
//! Kafka 3.9 knows it, 4.3 does not.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=8;

messages! {
    message UpdateMetadataRequest { versions: 0..=8, flexible: 6.. }
    message UpdateMetadataResponse { versions: 0..=8, flexible: 6.. }

    struct UpdateMetadataRequest {
        controller_id: i32, versions: 0..;
        is_kraft_controller: bool, versions: 8..;
        r#type: i8, versions: 8.., tag: 0, tagged: 8..;
        controller_epoch: i32, versions: 0..;
        broker_epoch: i64, versions: 5.., default: -1, ignorable: true;
        ungrouped_partition_states: Vec<UpdateMetadataPartitionState>, versions: 0..=4;
        topic_states: Vec<UpdateMetadataTopicState>, versions: 5..;
        live_brokers: Vec<UpdateMetadataBroker>, versions: 0..;
    }

    struct UpdateMetadataPartitionState {
        topic_name: Utf8Bytes, versions: 0..=4, ignorable: true;
        partition_index: i32, versions: 0..;
        controller_epoch: i32, versions: 0..;
        leader: i32, versions: 0..;
        leader_epoch: i32, versions: 0..;
        isr: Vec<i32>, versions: 0..;
        zk_version: i32, versions: 0..;
        replicas: Vec<i32>, versions: 0..;
        offline_replicas: Vec<i32>, versions: 4.., ignorable: true;
    }

    struct UpdateMetadataTopicState {
        topic_name: Utf8Bytes, versions: 5..;
        topic_id: Uuid, versions: 7.., ignorable: true;
        partition_states: Vec<UpdateMetadataPartitionState>, versions: 5..;
    }

    struct UpdateMetadataBroker {
        id: i32, versions: 0..;
        v0_host: Utf8Bytes, versions: 0..=0, ignorable: true;
        v0_port: i32, versions: 0..=0, ignorable: true;
        endpoints: Vec<UpdateMetadataEndpoint>, versions: 1.., ignorable: true;
        rack: Option<Utf8Bytes>, versions: 2.., nullable: 2.., default: Some(Default::default()), ignorable: true;
    }

    struct UpdateMetadataEndpoint {
        port: i32, versions: 1..;
        host: Utf8Bytes, versions: 1..;
        listener: Utf8Bytes, versions: 3.., ignorable: true;
        security_protocol: i16, versions: 1..;
    }

    struct UpdateMetadataResponse {
        error_code: ErrorCode, versions: 0..;
    }
}
