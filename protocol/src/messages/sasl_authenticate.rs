//! SaslAuthenticate (key 36, versions 0–2): one step of a SASL exchange. KIP-152, KIP-368.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::{Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;

messages! {
    message SaslAuthenticateRequest { versions: 0..=2, flexible: 2.. }
    message SaslAuthenticateResponse { versions: 0..=2, flexible: 2.. }

    struct SaslAuthenticateRequest {
        auth_bytes: Bytes, versions: 0..;
    }

    struct SaslAuthenticateResponse {
        error_code: ErrorCode, versions: 0..;
        error_message: Option<Utf8Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        auth_bytes: Bytes, versions: 0..;
        session_lifetime_ms: i64, versions: 1.., ignorable: true;
    }
}
