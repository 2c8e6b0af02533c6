//! BrokerHeartbeat (key 63, versions 0–2): a broker tells a KRaft controller that it lives. KIP-631, KIP-858.
//!
//! Kafka 3.9 knows 0–1, 4.3 0–2.

use crate::error_code::ErrorCode;
use crate::wire::{Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message BrokerHeartbeatRequest { versions: 0..=2, flexible: 0.. }
    message BrokerHeartbeatResponse { versions: 0..=2, flexible: 0.. }

    struct BrokerHeartbeatRequest {
        broker_id: i32, versions: 0..;
        broker_epoch: i64, versions: 0.., default: -1;
        current_metadata_offset: i64, versions: 0..;
        want_fence: bool, versions: 0..;
        want_shut_down: bool, versions: 0..;
        offline_log_dirs: Vec<Uuid>, versions: 1.., tag: 0, tagged: 1..;
        cordoned_log_dirs: Option<Vec<Uuid>>, versions: 2.., nullable: 2.., tag: 1, tagged: 2..;
    }

    struct BrokerHeartbeatResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        is_caught_up: bool, versions: 0..;
        is_fenced: bool, versions: 0.., default: true;
        should_shut_down: bool, versions: 0..;
    }
}
