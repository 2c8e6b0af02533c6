//! AlterUserScramCredentials (key 51, version 0): change SCRAM credentials. KIP-554.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message AlterUserScramCredentialsRequest { versions: 0..=0, flexible: 0.. }
    message AlterUserScramCredentialsResponse { versions: 0..=0, flexible: 0.. }

    struct AlterUserScramCredentialsRequest {
        deletions: Vec<ScramCredentialDeletion>, versions: 0..;
        upsertions: Vec<ScramCredentialUpsertion>, versions: 0..;
    }

    struct ScramCredentialDeletion {
        name: Utf8Bytes, versions: 0..;
        mechanism: i8, versions: 0..;
    }

    struct ScramCredentialUpsertion {
        name: Utf8Bytes, versions: 0..;
        mechanism: i8, versions: 0..;
        iterations: i32, versions: 0..;
        salt: Bytes, versions: 0..;
        salted_password: Bytes, versions: 0..;
    }

    struct AlterUserScramCredentialsResponse {
        throttle_time_ms: i32, versions: 0..;
        results: Vec<AlterUserScramCredentialsResult>, versions: 0..;
    }

    struct AlterUserScramCredentialsResult {
        user: Utf8Bytes, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }
}
