//! Between frames and groups: a string that a group keeps must not keep its frame alive, and what a request says of partitions is
//! gathered.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use protocol::ErrorCode;
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

/// What a request asks of partitions, and the answer as far as it is known without the group.
#[derive(Debug)]
pub struct Asked<T> {
    /// By topics, in the order in which they are named first. Every partition is refused unless the group says something else.
    pub topics: Vec<TopicAnswer>,
    /// What is said of partitions that exist.
    pub entries: Vec<(TopicPartition, T)>,
    /// Where in `topics` each of `entries` is answered: which topic, and which of its partitions.
    pub places: Vec<(usize, usize)>,
}

/// The answers for one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicAnswer {
    /// Its name.
    pub name: Utf8Bytes,
    /// Each partition with what became of it.
    pub partitions: Vec<(i32, ErrorCode)>,
}

impl<T> Asked<T> {
    /// Gathers what a request says of partitions: topics by name, and with `once` a partition that exists once, with what is said of
    /// it last. What does not exist is answered wherever it stands, as in Kafka.
    pub fn gather<'a>(
        request: impl Iterator<Item = (&'a Utf8Bytes, impl Iterator<Item = (i32, T)>)>,
        once: bool,
        exists: impl Fn(&str, i32) -> bool,
    ) -> Self {
        let mut topics: Vec<TopicAnswer> = Vec::new();
        let mut topic_at: HashMap<Arc<str>, usize> = HashMap::new();
        let (mut distinct, mut each, mut places) = (Distinct::default(), Vec::new(), Vec::new());
        for (name, partitions) in request {
            let topic = owned(name);
            let at_topic = *topic_at.entry(topic.clone()).or_insert(topics.len());
            if at_topic == topics.len() {
                topics.push(TopicAnswer {
                    name: name.clone(),
                    partitions: Vec::new(),
                });
            }
            let answers = &mut topics[at_topic].partitions;
            for (partition, value) in partitions {
                if exists(&topic, partition) {
                    let topic = topic.clone();
                    let of = TopicPartition { topic, partition };
                    if !once {
                        each.push((of, value));
                    } else if !distinct.insert(of, value) {
                        continue;
                    }
                    places.push((at_topic, answers.len()));
                }
                answers.push((partition, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
            }
        }
        let entries = if once { distinct.into_entries() } else { each };
        Asked {
            topics,
            entries,
            places,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entries = Vec<(String, i32, i64)>;
    type Answers = Vec<(String, Vec<i32>)>;

    /// Partitions below 9 exist. Gives what is asked, and the answers by topic.
    fn gathered(once: bool) -> (Entries, Answers) {
        let request: [(&str, &[(i32, i64)]); 3] = [
            ("t", &[(0, 1), (1, 2), (9, 3), (0, 4)]),
            ("u", &[(0, 5)]),
            ("t", &[(0, 6), (9, 7)]),
        ];
        let request = request.map(|(name, partitions)| (Utf8Bytes::from(name), partitions));
        let named = request
            .iter()
            .map(|(name, partitions)| (name, partitions.iter().copied()));
        let asked = Asked::gather(named, once, |_, partition| partition < 9);
        assert_eq!(asked.places.len(), asked.entries.len());
        for ((topic, partition), (of, _)) in asked.places.iter().zip(&asked.entries) {
            let answer = &asked.topics[*topic];
            assert_eq!(
                (&*answer.name, answer.partitions[*partition].0),
                (&*of.topic, of.partition)
            );
        }
        let entries = asked.entries.iter();
        let entries = entries.map(|(of, value)| (of.topic.to_string(), of.partition, *value));
        let indexes = |answer: &TopicAnswer| answer.partitions.iter().map(|(index, _)| *index).collect();
        let topics = asked.topics.iter();
        let answers = topics.map(|answer| (answer.name.to_string(), indexes(answer)));
        (entries.collect(), answers.collect())
    }

    #[test]
    fn a_partition_that_is_named_often_is_asked_for_and_answered_once() {
        let (entries, answers) = gathered(true);
        assert_eq!(entries, [("t".into(), 0, 6), ("t".into(), 1, 2), ("u".into(), 0, 5)]);
        assert_eq!(answers, [("t".into(), vec![0, 1, 9, 9]), ("u".into(), vec![0])]);
    }

    #[test]
    fn one_place_after_another_is_asked_for_where_that_is_wanted() {
        let (entries, answers) = gathered(false);
        let values: Vec<i64> = entries.iter().map(|(_, _, value)| *value).collect();
        assert_eq!(values, [1, 2, 4, 5, 6]);
        assert_eq!(answers, [("t".into(), vec![0, 1, 9, 0, 0, 9]), ("u".into(), vec![0])]);
    }

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
