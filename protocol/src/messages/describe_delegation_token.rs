//! DescribeDelegationToken (key 41, versions 0–3): list delegation tokens. KIP-48, KIP-373.
//!
//! Kafka 3.9 knows 0–3, 4.3 1–3.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;

messages! {
    message DescribeDelegationTokenRequest { versions: 0..=3, flexible: 2.. }
    message DescribeDelegationTokenResponse { versions: 0..=3, flexible: 2.. }

    struct DescribeDelegationTokenRequest {
        owners: Option<Vec<DescribeDelegationTokenOwner>>, versions: 0.., nullable: 0.., default: Some(Default::default());
    }

    struct DescribeDelegationTokenOwner {
        principal_type: Utf8Bytes, versions: 0..;
        principal_name: Utf8Bytes, versions: 0..;
    }

    struct DescribeDelegationTokenResponse {
        error_code: ErrorCode, versions: 0..;
        tokens: Vec<DescribedDelegationToken>, versions: 0..;
        throttle_time_ms: i32, versions: 0..;
    }

    struct DescribedDelegationToken {
        principal_type: Utf8Bytes, versions: 0..;
        principal_name: Utf8Bytes, versions: 0..;
        token_requester_principal_type: Utf8Bytes, versions: 3..;
        token_requester_principal_name: Utf8Bytes, versions: 3..;
        issue_timestamp: i64, versions: 0..;
        expiry_timestamp: i64, versions: 0..;
        max_timestamp: i64, versions: 0..;
        token_id: Utf8Bytes, versions: 0..;
        hmac: Bytes, versions: 0..;
        renewers: Vec<DescribedDelegationTokenRenewer>, versions: 0..;
    }

    struct DescribedDelegationTokenRenewer {
        principal_type: Utf8Bytes, versions: 0..;
        principal_name: Utf8Bytes, versions: 0..;
    }
}
