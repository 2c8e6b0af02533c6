//! Envelope (key 58, version 0): a request forwarded to the controller. KIP-590.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::wire::messages;

/// Every version in the tables.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;

messages! {
    message EnvelopeRequest { versions: 0..=0, flexible: 0.. }
    message EnvelopeResponse { versions: 0..=0, flexible: 0.. }

    struct EnvelopeRequest {
        request_data: Bytes, versions: 0..;
        request_principal: Option<Bytes>, versions: 0.., nullable: 0.., default: Some(Default::default());
        client_host_address: Bytes, versions: 0..;
    }

    struct EnvelopeResponse {
        response_data: Option<Bytes>, versions: 0.., nullable: 0..;
        error_code: ErrorCode, versions: 0..;
    }
}
