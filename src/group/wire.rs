//! Between the strings of frames and those that groups keep. A string that a group keeps must not keep its frame alive.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use protocol::wire::Utf8Bytes;

use super::decision::TopicPartition;

/// A copy to keep.
pub fn owned(text: &Utf8Bytes) -> Arc<str> {
    Arc::from(&**text)
}

/// A copy to keep, where there is something.
pub fn owned_option(text: &Option<Utf8Bytes>) -> Option<Arc<str>> {
    text.as_ref().map(owned)
}

/// For a response.
pub fn text(text: &Arc<str>) -> Utf8Bytes {
    Utf8Bytes::from(&**text)
}

/// For a nullable field of a response.
pub fn text_option(option: &Option<Arc<str>>) -> Option<Utf8Bytes> {
    option.as_ref().map(text)
}

/// An address as Java's `InetAddress` writes it, without a host name: that is what tools show of a member, and what
/// the log keeps.
pub fn client_host(address: IpAddr) -> Arc<str> {
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    Arc::from(match address {
        IpAddr::V4(v4) => format!("/{v4}"),
        IpAddr::V6(v6) => format!("/{}", uncompressed(v6)),
    })
}

fn uncompressed(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}

/// What a request says of partitions, each once: Kafka collects it in a map, too, so a short request that names one partition many
/// times neither makes as many records nor gets as many answers.
#[derive(Debug)]
pub struct Distinct<T> {
    place_of: HashMap<TopicPartition, usize>,
    entries: Vec<(TopicPartition, T)>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Distinct {
            place_of: HashMap::new(),
            entries: Vec::new(),
        }
    }
}

impl<T> Distinct<T> {
    /// Takes what is said of a partition; true if nothing was said of it before. The last that is said holds.
    pub fn insert(&mut self, of: TopicPartition, value: T) -> bool {
        match self.place_of.entry(of.clone()) {
            Entry::Vacant(place) => {
                place.insert(self.entries.len());
                self.entries.push((of, value));
                true
            }
            Entry::Occupied(place) => {
                self.entries[*place.get()].1 = value;
                false
            }
        }
    }

    /// Nothing is said of any.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// In the order in which they were named first.
    pub fn into_entries(self) -> Vec<(TopicPartition, T)> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_partition_the_last_holds_at_the_first_place() {
        let of = |topic: &str, partition| TopicPartition {
            topic: Arc::from(topic),
            partition,
        };
        let mut distinct = Distinct::default();
        let said = [(of("t", 0), 1), (of("u", 0), 2), (of("t", 0), 3), (of("t", 1), 4)];
        let is_new: Vec<bool> = said.into_iter().map(|(of, value)| distinct.insert(of, value)).collect();
        assert_eq!(is_new, [true, true, false, true]);
        assert_eq!(
            distinct.into_entries(),
            [(of("t", 0), 3), (of("u", 0), 2), (of("t", 1), 4)]
        );
    }

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        for (address, expected) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("2001:db8::ff00:42", "/2001:db8:0:0:0:0:ff00:42"),
            ("::ffff:10.0.0.7", "/10.0.0.7"),
        ] {
            assert_eq!(&*client_host(address.parse().unwrap()), expected);
        }
    }
}
