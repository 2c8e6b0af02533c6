//! RemoveRaftVoter (key 81, version 0): remove a voter from the Raft quorum. KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message RemoveRaftVoterRequest { versions: 0..=0, flexible: 0.. }
    message RemoveRaftVoterResponse { versions: 0..=0, flexible: 0.. }

    struct RemoveRaftVoterRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        voter_id: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 0..;
    }

    struct RemoveRaftVoterResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
