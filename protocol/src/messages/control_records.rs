//! Keys and values of control records: transaction markers (KIP-98) and those of the Raft quorum (KIP-595, KIP-630,
//! KIP-853).

use crate::wire::{NEVER, Utf8Bytes, Uuid, messages};

messages! {
    message ControlRecordTypeSchema { versions: 0..=0, flexible: NEVER }
    message EndTxnMarker { versions: 0..=0, flexible: NEVER }
    message LeaderChangeMessage { versions: 0..=1, flexible: 0.. }
    message SnapshotHeaderRecord { versions: 0..=0, flexible: 0.. }
    message SnapshotFooterRecord { versions: 0..=0, flexible: 0.. }
    message KRaftVersionRecord { versions: 0..=0, flexible: 0.. }
    message VotersRecord { versions: 0..=0, flexible: 0.. }

    struct ControlRecordTypeSchema {
        r#type: i16, versions: 0..;
    }

    struct EndTxnMarker {
        coordinator_epoch: i32, versions: 0..;
    }

    struct LeaderChangeMessage {
        version: i16, versions: 0..;
        leader_id: i32, versions: 0..;
        voters: Vec<LeaderChangeMessageVoter>, versions: 0..;
        granting_voters: Vec<LeaderChangeMessageVoter>, versions: 0..;
    }

    struct LeaderChangeMessageVoter {
        voter_id: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 1..;
    }

    struct SnapshotHeaderRecord {
        version: i16, versions: 0..;
        last_contained_log_timestamp: i64, versions: 0..;
    }

    struct SnapshotFooterRecord {
        version: i16, versions: 0..;
    }

    struct KRaftVersionRecord {
        version: i16, versions: 0..;
        kraft_version: i16, versions: 0..;
    }

    struct VotersRecord {
        version: i16, versions: 0..;
        voters: Vec<VotersRecordVoter>, versions: 0..;
    }

    struct VotersRecordVoter {
        voter_id: i32, versions: 0..;
        voter_directory_id: Uuid, versions: 0..;
        endpoints: Vec<Endpoint>, versions: 0..;
        kraft_version_feature: KRaftVersionFeature, versions: 0..;
    }

    struct Endpoint {
        name: Utf8Bytes, versions: 0..;
        host: Utf8Bytes, versions: 0..;
        port: u16, versions: 0..;
    }

    struct KRaftVersionFeature {
        min_supported_version: i16, versions: 0..;
        max_supported_version: i16, versions: 0..;
    }
}
