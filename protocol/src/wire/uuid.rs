//! Kafka's uuid: 16 bytes, written as base64 for URLs without padding.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 16 bytes; shown as 22 characters of URL-safe base64, e.g. `AAAAAAAAAAAAAAAAAAAAAA` for [`Uuid::ZERO`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// The id of a topic (KIP-516).
pub type TopicId = Uuid;

/// A text that is not a uuid in Kafka's notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a uuid: 22 characters of URL-safe base64 expected")]
pub struct UuidParseError(String);

impl Uuid {
    /// «None»: what a field holds that names no topic.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// The id of the cluster metadata topic in KRaft (Kafka's `Uuid.METADATA_TOPIC_ID`); never given to another topic.
    pub const METADATA_TOPIC_ID: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; 22];
        // 21 characters of six bits from the top; the last holds the two that are left.
        for (index, character) in text.iter_mut().enumerate().take(21) {
            *character = ALPHABET[(bits >> (122 - 6 * index)) as usize & 63];
        }
        text[21] = ALPHABET[(bits as usize & 3) << 4];
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = UuidParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || UuidParseError(text.to_owned());
        // Java's decoder takes padding, and so do we.
        let digits = text.strip_suffix("==").unwrap_or(text).as_bytes();
        if digits.len() != 22 {
            return Err(error());
        }
        let mut bits = 0u128;
        for (index, digit) in digits.iter().enumerate() {
            let value = ALPHABET
                .iter()
                .position(|character| character == digit)
                .ok_or_else(error)? as u128;
            bits = if index < 21 {
                bits << 6 | value
            } else {
                bits << 2 | value >> 4
            };
        }
        Ok(Uuid(bits.to_be_bytes()))
    }
}
