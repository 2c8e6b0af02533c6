//! SaslHandshake (key 17, versions 0–1): choose a SASL mechanism. KIP-43, KIP-152.

use crate::error_code::ErrorCode;
use crate::wire::{NEVER, Utf8Bytes, messages};

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;

messages! {
    message SaslHandshakeRequest { versions: 0..=1, flexible: NEVER }
    message SaslHandshakeResponse { versions: 0..=1, flexible: NEVER }

    struct SaslHandshakeRequest {
        mechanism: Utf8Bytes, versions: 0..;
    }

    struct SaslHandshakeResponse {
        error_code: ErrorCode, versions: 0..;
        mechanisms: Vec<Utf8Bytes>, versions: 0..;
    }
}
