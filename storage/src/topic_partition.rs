//! The names of directories that hold a partition.

use protocol::TopicPartition;

/// The longest name that file systems take.
const MAX_NAME_LEN: usize = 255;

/// What a directory in a log directory is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionDir {
    /// `<topic>-<partition>`: a partition.
    Current(TopicPartition),
    /// `<topic>-<partition>.<unique id>-delete`: a deleted partition, whose files are still to be removed. The topic's name may be cut.
    Deleted(TopicPartition),
    /// `….-future`: a copy that is to replace one in another log directory.
    Future(TopicPartition),
    /// `….-stray`: a partition that nobody wanted here any more.
    Stray(TopicPartition),
}

/// The name of the directory that holds a partition: `<topic>-<partition>`.
pub(crate) fn dir_name(partition: &TopicPartition) -> String {
    partition.to_string()
}

/// The name of the directory once the partition is deleted; a topic's name that would make it too long is cut.
pub(crate) fn deleted_dir_name(partition: &TopicPartition, unique_id: u128) -> String {
    let suffix = format!("-{}.{unique_id:032x}-delete", partition.partition);
    let topic = &partition.topic[..partition.topic.len().min(MAX_NAME_LEN - suffix.len())];
    format!("{topic}{suffix}")
}

impl PartitionDir {
    /// What a directory of this name is for; `None` where the name is not of Kafka's making.
    pub fn parse(name: &str) -> Option<Self> {
        for suffix in ["-delete", "-future", "-stray"] {
            let Some(rest) = name.strip_suffix(suffix) else {
                continue;
            };
            let (partition, _) = rest.rsplit_once('.').filter(|(_, unique_id)| !unique_id.is_empty())?;
            let partition = parse_partition(partition)?;
            return Some(match suffix {
                "-delete" => Self::Deleted(partition),
                "-future" => Self::Future(partition),
                _ => Self::Stray(partition),
            });
        }
        parse_partition(name).map(Self::Current)
    }
}

fn parse_partition(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|&partition: &i32| partition >= 0)?;
    (!topic.is_empty()).then(|| TopicPartition::new(topic, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names_are_read_back() {
        let partition = TopicPartition::new("a-b.c", 12);
        assert_eq!(
            PartitionDir::parse(&dir_name(&partition)),
            Some(PartitionDir::Current(partition.clone()))
        );
        let deleted = deleted_dir_name(&partition, 7);
        assert_eq!(deleted, "a-b.c-12.00000000000000000000000000000007-delete");
        assert_eq!(
            PartitionDir::parse(&deleted),
            Some(PartitionDir::Deleted(partition.clone()))
        );
        assert_eq!(
            PartitionDir::parse("a-b.c-12.x-future"),
            Some(PartitionDir::Future(partition.clone()))
        );
        assert_eq!(
            PartitionDir::parse("a-b.c-12.x-stray"),
            Some(PartitionDir::Stray(partition))
        );
        for foreign in [
            "lost+found",
            "a",
            "a-",
            "-3",
            "a-b",
            "a-delete",
            "a-1-delete",
            "a-1.-delete",
        ] {
            assert_eq!(PartitionDir::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_long_name_is_cut_when_deleted() {
        let long = TopicPartition::new("x".repeat(249), 1000);
        assert_eq!(deleted_dir_name(&long, u128::MAX).len(), MAX_NAME_LEN);
    }
}
