//! ControllerRegistration (key 70, version 0): a KRaft controller registers with the active one. KIP-919.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message ControllerRegistrationRequest { versions: 0..=0, flexible: 0.. }
    message ControllerRegistrationResponse { versions: 0..=0, flexible: 0.. }

    struct ControllerRegistrationRequest {
        controller_id: i32, versions: 0..;
        incarnation_id: Uuid, versions: 0..;
        zk_migration_ready: bool, versions: 0..;
        listeners: Vec<Listener>, versions: 0..;
        features: Vec<Feature>, versions: 0..;
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

    struct ControllerRegistrationResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
