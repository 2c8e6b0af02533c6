//! The one thing that the coordinator reads in a consumer's metadata: the topics that it is subscribed to.
//!
//! Every version of the consumer protocol's subscription begins with version 0 – the version as int16, then an array
//! of strings – so that nothing here depends on the newer fields.

use std::collections::BTreeSet;
use std::sync::Arc;

/// The protocol type of consumers.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Adds the topics of one member's subscription. `None` when the bytes are not one.
pub fn topics(metadata: &[u8], topics: &mut BTreeSet<Arc<str>>) -> Option<()> {
    let (version, rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    for _ in 0..u32::try_from(i32::from_be_bytes(*count)).ok()? {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (topic, tail) = tail.split_at_checked(length)?;
        topics.insert(Arc::from(std::str::from_utf8(topic).ok()?));
        rest = tail;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_topics_of_any_version() {
        let mut found = BTreeSet::new();
        let metadata = b"\x00\x03\x00\x00\x00\x02\x00\x01a\x00\x02bc\xff\xff\xff\xffrest";
        assert_eq!(topics(metadata, &mut found), Some(()));
        assert_eq!(found.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["a", "bc"]);
    }

    #[test]
    fn refuses_what_is_not_a_subscription() {
        for metadata in [
            &b""[..],
            b"\x00\x00\x7f\xff\xff\xff",
            b"\xff\xff\x00\x00\x00\x00",
            b"\x00\x00\x00\x00\x00\x01\x00\x05a",
        ] {
            assert_eq!(topics(metadata, &mut BTreeSet::new()), None);
        }
    }
}
