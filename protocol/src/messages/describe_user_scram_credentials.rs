//! DescribeUserScramCredentials (key 50, version 0): list SCRAM mechanisms and iterations of users. KIP-554.

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message DescribeUserScramCredentialsRequest { versions: 0..=0, flexible: 0.. }
    message DescribeUserScramCredentialsResponse { versions: 0..=0, flexible: 0.. }

    struct DescribeUserScramCredentialsRequest {
        users: Option<Vec<UserName>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct UserName {
        name: Utf8Bytes, versions: 0..;
    }

    struct DescribeUserScramCredentialsResponse {
        throttle_time_ms: i32, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        results: Vec<DescribeUserScramCredentialsResult>, versions: 0..;
    }

    struct DescribeUserScramCredentialsResult {
        user: Utf8Bytes, versions: 0..;
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        credential_infos: Vec<CredentialInfo>, versions: 0..;
    }

    struct CredentialInfo {
        mechanism: i8, versions: 0..;
        iterations: i32, versions: 0..;
    }
}
