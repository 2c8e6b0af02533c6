//! AddRaftVoter (key 80, versions 0–1): add a voter to the Raft quorum. KIP-853.
//!
//! Kafka 3.9 knows 0, 4.3 0–1.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message AddRaftVoterRequest { versions: 0..=1, flexible: 0.. }
    message AddRaftVoterResponse { versions: 0..=1, flexible: 0.. }

    struct AddRaftVoterRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        timeout_ms: i32, versions: 0..;
        voter_id: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 0..;
        listeners: Vec<Listener>, versions: 0..;
        ack_when_committed: bool, versions: 1.., default: true;
    }

    struct Listener {
        name: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct AddRaftVoterResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
