//! BrokerRegistration (key 62, versions 0–4): a broker registers with a KRaft controller. KIP-631, KIP-858, KIP-866,
//! KIP-903.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;

messages! {
    message BrokerRegistrationRequest { versions: 0..=4, flexible: 0.. }
    message BrokerRegistrationResponse { versions: 0..=4, flexible: 0.. }

    struct BrokerRegistrationRequest {
        broker_id: i32, versions: 0..;
        cluster_id: Utf8Bytes, versions: 0..;
        incarnation_id: Uuid, versions: 0..;
        listeners: Vec<Listener>, versions: 0..;
        features: Vec<Feature>, versions: 0..;
        rack: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        is_migrating_zk_broker: bool, versions: 1..;
        log_dirs: Vec<Uuid>, versions: 2.., ignorable: true;
        previous_broker_epoch: i64, versions: 3.., default: -1, ignorable: true;
    }

    struct Listener {
        name: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
        security_protocol: i16, versions: 0..;
    }

    struct Feature {
        name: Utf8Bytes, versions: 0..;
        min_supported_version: i16, versions: 0..;
        max_supported_version: i16, versions: 0..;
    }

    struct BrokerRegistrationResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        broker_epoch: i64, versions: 0.., default: -1;
    }
}
