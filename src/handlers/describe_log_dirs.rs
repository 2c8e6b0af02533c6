//! DescribeLogDirs (35), v0–4: which partitions each log directory holds, and their sizes (KIP-113); a code for the whole answer (v3);
//! the room on the volume (v4, KIP-827). Partitions are never on their way to another directory here.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::wire::Utf8Bytes;

use crate::broker::Broker;
use crate::dispatch::{RequestContext, Served, served};
use crate::partition::Partition;
use crate::threads;

/// What this file serves.
pub const SERVED: Served = served!(DescribeLogDirs, 0..=4, handle);

async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let (broker, client) = (broker.clone(), context.client_ip());
    // A volume that hangs would hang whoever asks for its size.
    let described = threads::spawn_blocking(move || describe(&broker, client, request.topics)).await;
    let (error_code, results) = match described {
        Ok(results) => (ErrorCode::NONE, results),
        Err(e) => {
            log::error!(client:% = client; "a DescribeLogDirs request broke off: {e}");
            (ErrorCode::UNKNOWN_SERVER_ERROR, Vec::new())
        }
    };
    DescribeLogDirsResponse {
        error_code,
        results,
        ..Default::default()
    }
}

fn describe(
    broker: &Broker,
    client: IpAddr,
    topics: Option<Vec<DescribableLogDirTopic>>,
) -> Vec<DescribeLogDirsResult> {
    let wanted = Wanted::new(topics.as_deref());
    let partitions = broker.replicas.all();
    let online: HashSet<PathBuf> = broker
        .replicas
        .logs()
        .directories()
        .into_iter()
        .filter_map(|(path, failure)| failure.is_none().then_some(path))
        .collect();
    let describe_one = |dir: &PathBuf| {
        let log_dir = Utf8Bytes::from(std::path::absolute(dir).as_deref().unwrap_or(dir).to_string_lossy());
        let room = match online.contains(dir) {
            true => Room::of(dir)
                .inspect_err(|e| log::error!(client:% = client; "the size of {} is not to be had: {e}", dir.display())),
            false => Err(io::ErrorKind::NotConnected.into()),
        };
        match room {
            Ok(room) => DescribeLogDirsResult {
                log_dir,
                topics: of_dir(&partitions, dir, &wanted),
                total_bytes: room.total_bytes,
                usable_bytes: room.usable_bytes,
                ..Default::default()
            },
            Err(_) => DescribeLogDirsResult {
                error_code: ErrorCode::KAFKA_STORAGE_ERROR,
                log_dir,
                ..Default::default()
            },
        }
    };
    broker.config.log_dirs.iter().map(describe_one).collect()
}

/// The partitions that the request asks for; `None`: all. A set, so that an answer is no larger than what is here, however often it
/// is named.
struct Wanted<'a>(Option<HashSet<(&'a str, i32)>>);

impl<'a> Wanted<'a> {
    fn new(topics: Option<&'a [DescribableLogDirTopic]>) -> Self {
        let named = |topic: &'a DescribableLogDirTopic| topic.partitions.iter().map(|index| (&*topic.topic, *index));
        Self(topics.map(|topics| topics.iter().flat_map(named).collect()))
    }

    fn contains(&self, topic: &str, partition: i32) -> bool {
        self.0
            .as_ref()
            .is_none_or(|wanted| wanted.contains(&(topic, partition)))
    }
}

fn of_dir(partitions: &[Arc<Partition>], dir: &Path, wanted: &Wanted) -> Vec<DescribeLogDirsTopic> {
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in partitions.iter().filter(|partition| partition.log_dir() == dir) {
        let (topic, partition_index) = (&*partition.topic_partition.topic, partition.topic_partition.partition);
        if !wanted.contains(topic, partition_index) {
            continue;
        }
        let (size, log_end_offset) = {
            let log = partition.log();
            (log.size(), log.log_end_offset())
        };
        topics.entry(topic).or_default().push(DescribeLogDirsPartition {
            partition_index,
            partition_size: i64::try_from(size).unwrap_or(i64::MAX),
            offset_lag: (partition.high_watermark() - log_end_offset).max(0),
            is_future_key: false,
        });
    }
    let entry = |(name, mut partitions): (&str, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic {
            name: Utf8Bytes::from(name),
            partitions,
        }
    };
    topics.into_iter().map(entry).collect()
}

/// How large a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    total_bytes: i64,
    /// What is free for a process without special rights.
    usable_bytes: i64,
}

impl Room {
    fn of(dir: &Path) -> io::Result<Self> {
        let volume = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(volume.f_frsize)).unwrap_or(i64::MAX);
        Ok(Self {
            total_bytes: bytes(volume.f_blocks),
            usable_bytes: bytes(volume.f_bavail),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_every_partition() {
        assert!(Wanted::new(None).contains("t", 7));
        let named = [DescribableLogDirTopic {
            topic: Utf8Bytes::from_static("t"),
            partitions: vec![1, 2],
        }];
        let wanted = Wanted::new(Some(&named));
        assert!(wanted.contains("t", 2) && !wanted.contains("t", 7) && !wanted.contains("u", 1));
        assert!(!Wanted::new(Some(&[])).contains("t", 1));
    }

    #[test]
    fn a_volume_has_room() {
        let room = Room::of(Path::new("/")).unwrap();
        assert!(room.total_bytes > 0 && room.usable_bytes <= room.total_bytes);
        assert!(Room::of(Path::new("/there is no such directory")).is_err());
    }
}
