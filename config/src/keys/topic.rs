//! Keys of topics: what overrides the defaults of the broker.

use crate::definition::{Definition, Valid, boolean, double, int, list, long, string};

super::keys! {
    "cleanup.policy": list("delete").one_of(&["compact", "delete"])
        => "What happens to old segments: delete, compact, or both. Until compaction comes a compacted topic keeps \
            everything.";
    "compression.gzip.level": int("-1").valid(Valid::GzipLevel)
        => "The effort of gzip where compression.type is gzip: 1 to 9, or -1 for the usual one.";
    "compression.lz4.level": int("9").between(1.0, 17.0) => "The effort of LZ4 where compression.type is lz4.";
    "compression.type": string("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        => "How batches are stored: as the producer sent them, uncompressed, or always by one codec.";
    "compression.zstd.level": int("3").between(-131072.0, 22.0)
        => "The effort of Zstandard where compression.type is zstd.";
    "delete.retention.ms": long("86400000").at_least(0.0).not_yet("compaction")
        => "How long a compacted topic keeps a tombstone, so that consumers see it.";
    "file.delete.delay.ms": long("60000").at_least(0.0) => "How long a deleted segment's files stay on disk, renamed.";
    "flush.messages": long("9223372036854775807").at_least(1.0) => "After how many records the log is flushed to disk.";
    "flush.ms": long("9223372036854775807").at_least(0.0)
        => "After how long a record is flushed to disk at the latest.";
    "follower.replication.throttled.replicas": list("").valid(Valid::ThrottledReplicas).not_yet("quotas")
        => "Which replicas are throttled as followers: partition:broker pairs, or * for all.";
    "index.interval.bytes": int("4096").at_least(0.0)
        => "After how many bytes of log the offset index gets its next entry.";
    "leader.replication.throttled.replicas": list("").valid(Valid::ThrottledReplicas).not_yet("quotas")
        => "Which replicas are throttled as leaders: partition:broker pairs, or * for all.";
    "local.retention.bytes": long("-2").at_least(-2.0).not_yet("tiered storage")
        => "How many bytes a partition keeps on the broker's disk where the topic is tiered; -2 stands for \
            retention.bytes.";
    "local.retention.ms": long("-2").at_least(-2.0).not_yet("tiered storage")
        => "How long segments stay on the broker's disk where the topic is tiered; -2 stands for retention.ms.";
    "max.compaction.lag.ms": long("9223372036854775807").at_least(1.0).not_yet("compaction")
        => "After how long a record becomes eligible for compaction at the latest.";
    "max.message.bytes": int("1048588").at_least(0.0) => "How large a batch may be as it is stored.";
    "message.downconversion.enable": boolean("true").low().not_yet("old record formats")
        => "Whether records are converted to older formats for clients that know no newer one.";
    "message.format.version": string("3.0-IV1").valid(Valid::MetadataVersion)
        .not("batches are always stored in format 2") => "The record format of old releases.";
    "message.timestamp.after.max.ms": long("9223372036854775807").at_least(0.0)
        => "How far a producer's timestamp may lie in the future.";
    "message.timestamp.before.max.ms": long("9223372036854775807").at_least(0.0)
        => "How far a producer's timestamp may lie in the past.";
    "message.timestamp.difference.max.ms": long("9223372036854775807").at_least(0.0)
        => "How far a producer's timestamp may lie from now in either direction, where the two newer keys do not \
            limit it.";
    "message.timestamp.type": string("CreateTime").one_of(&["CreateTime", "LogAppendTime"])
        => "Whether records carry the producer's timestamp or the time of the append.";
    "min.cleanable.dirty.ratio": double("0.5").between(0.0, 1.0).not_yet("compaction")
        => "From which share of not yet compacted bytes on the log is compacted.";
    "min.compaction.lag.ms": long("0").at_least(0.0).not_yet("compaction")
        => "For how long a record is safe from compaction.";
    "min.insync.replicas": int("1").at_least(1.0)
        => "How many replicas must be in sync for a produce with acks=all to succeed.";
    "preallocate": boolean("false") => "Whether the file of a new segment is created at its full size.";
    "remote.log.copy.disable": boolean("false").not_yet("tiered storage")
        => "Whether a tiered topic no longer copies segments.";
    "remote.log.delete.on.disable": boolean("false").not_yet("tiered storage")
        => "Whether turning tiering off deletes what is stored there.";
    "remote.storage.enable": boolean("false").not_yet("tiered storage") => "Whether the topic is tiered.";
    "retention.bytes": long("-1")
        => "How large a partition may grow before its oldest segments are deleted; -1 sets no limit.";
    "retention.ms": long("604800000").at_least(-1.0) => "How long a segment is kept; -1 keeps it for ever.";
    "segment.bytes": int("1073741824").at_least(14.0) => "How large a segment may become before the next one is begun.";
    "segment.index.bytes": int("10485760").at_least(4.0)
        => "How large an index may become before its segment is rolled.";
    "segment.jitter.ms": long("0").at_least(0.0)
        => "By up to how many milliseconds rolling is brought forward at random.";
    "segment.ms": long("604800000").at_least(1.0) => "After how long a segment is rolled although it is not full.";
    "unclean.leader.election.enable": boolean("false")
        => "Whether a replica that is not in sync may lead when no other can, at the price of records.";
}
