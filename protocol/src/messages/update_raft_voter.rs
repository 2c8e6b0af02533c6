//! UpdateRaftVoter (key 82, version 0): a voter reports its endpoints. KIP-853.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, Uuid, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message UpdateRaftVoterRequest { versions: 0..=0, flexible: 0.. }
    message UpdateRaftVoterResponse { versions: 0..=0, flexible: 0.. }

    struct UpdateRaftVoterRequest {
        cluster_id: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        current_leader_epoch: i32, versions: 0..;
        voter_id: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 0..;
        listeners: Vec<Listener>, versions: 0..;
        kraft_version_feature: KRaftVersionFeature, versions: 0..;
    }

    struct Listener {
        name: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct KRaftVersionFeature {
        min_supported_version: i16, versions: 0..;
        max_supported_version: i16, versions: 0..;
    }

    struct UpdateRaftVoterResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        current_leader: CurrentLeader, versions: 0.., tag: 0, tagged: 0..;
    }

    struct CurrentLeader {
        leader_id: i32, versions: 0.., default: -1;
        leader_epoch: i32, versions: 0.., default: -1;
        host: Utf8Bytes, versions: 0..;
        port: i32, versions: 0..;
    }
}
