//! Keys of topics and their logs.

use crate::definition::{
    Definition, Valid, boolean, class_null, double, int, int_null, list, long, long_null, string, string_null,
};

super::keys! {
    "alter.config.policy.class.name": class_null().low().not("Java classes are not loaded")
        => "A Java class that judges changes of configuration.";
    "auto.create.topics.enable": boolean("true").high()
        => "Whether asking for the metadata of a topic that does not exist creates it, where the client allows that.";
    "compression.gzip.level": int("-1").valid(Valid::GzipLevel).cluster_wide()
        => "The effort of gzip where the broker compresses: 1 to 9, or -1 for the usual one.";
    "compression.lz4.level": int("9").between(1.0, 17.0).cluster_wide()
        => "The effort of LZ4 where the broker compresses.";
    "compression.type": string("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide().high()
        => "How batches are stored: as the producer sent them, uncompressed, or always by one codec.";
    "compression.zstd.level": int("3").between(-131072.0, 22.0).cluster_wide()
        => "The effort of Zstandard where the broker compresses.";
    "create.topic.policy.class.name": class_null().low().not("Java classes are not loaded")
        => "A Java class that judges new topics.";
    "delete.topic.enable": boolean("true").high() => "Whether topics can be deleted.";
    "log.cleaner.backoff.ms": long("15000").at_least(0.0).cluster_wide().not_yet("compaction")
        => "How long the compaction of logs rests when there is nothing to do.";
    "log.cleaner.dedupe.buffer.size": long("134217728").cluster_wide().not_yet("compaction")
        => "How much memory all compaction threads together use to find older records of a key.";
    "log.cleaner.delete.retention.ms": long("86400000").at_least(0.0).cluster_wide().not_yet("compaction")
        => "How long a compacted topic keeps a tombstone; topics override it as delete.retention.ms.";
    "log.cleaner.enable": boolean("true").not_yet("compaction") => "Whether compacted topics are compacted.";
    "log.cleaner.io.buffer.load.factor": double("0.9").cluster_wide().not_yet("compaction")
        => "How full the compaction's table of keys may become.";
    "log.cleaner.io.buffer.size": int("524288").at_least(0.0).cluster_wide().not_yet("compaction")
        => "How much memory all compaction threads together use to read and write.";
    "log.cleaner.io.max.bytes.per.second": double("1.7976931348623157E308").cluster_wide().not_yet("compaction")
        => "How many bytes a second compaction may read and write.";
    "log.cleaner.max.compaction.lag.ms": long("9223372036854775807").at_least(1.0).cluster_wide()
        .not_yet("compaction")
        => "After how long a record becomes eligible for compaction at the latest; topics override it as \
            max.compaction.lag.ms.";
    "log.cleaner.min.cleanable.ratio": double("0.5").between(0.0, 1.0).cluster_wide().not_yet("compaction")
        => "From which share of not yet compacted bytes on a log is compacted; topics override it as \
            min.cleanable.dirty.ratio.";
    "log.cleaner.min.compaction.lag.ms": long("0").at_least(0.0).cluster_wide().not_yet("compaction")
        => "For how long a record is safe from compaction; topics override it as min.compaction.lag.ms.";
    "log.cleaner.threads": int("1").at_least(0.0).cluster_wide().not_yet("compaction") => "How many threads compact.";
    "log.cleanup.policy": list("delete").one_of(&["compact", "delete"]).cluster_wide()
        => "What happens to old segments: delete, compact, or both; topics override it as cleanup.policy. Until \
            compaction comes a compacted topic keeps everything.";
    "log.dir": string("/tmp/kafka-logs").high() => "The directory of the logs where log.dirs is not set.";
    "log.dir.failure.timeout.ms": long("30000").at_least(1.0).low()
        .not("a failed directory is reported through the metadata store")
        => "How long a broker in a Raft quorum lives on when it cannot report a failed directory.";
    "log.dirs": string_null().high()
        => "The directories of the logs, separated by commas; log.dir counts where it is not set.";
    "log.flush.interval.messages": long("9223372036854775807").at_least(1.0).cluster_wide().high()
        => "After how many records a log is flushed to disk; topics override it as flush.messages.";
    "log.flush.interval.ms": long_null().cluster_wide().high()
        => "After how long a record is flushed to disk at the latest; log.flush.scheduler.interval.ms counts where \
            it is not set; topics override it as flush.ms.";
    "log.flush.offset.checkpoint.interval.ms": int("60000").at_least(0.0).high()
        => "How often the recovery points of the logs are written to their checkpoint.";
    "log.flush.scheduler.interval.ms": long("9223372036854775807").high()
        => "How often the broker looks for logs that are due to be flushed.";
    "log.flush.start.offset.checkpoint.interval.ms": int("60000").at_least(0.0).high()
        => "How often the start offsets of the logs are written to their checkpoint.";
    "log.index.interval.bytes": int("4096").at_least(0.0).cluster_wide()
        => "After how many bytes of log the offset index gets its next entry; topics override it as \
            index.interval.bytes.";
    "log.index.size.max.bytes": int("10485760").at_least(4.0).cluster_wide()
        => "How large an index may become before its segment is rolled; topics override it as segment.index.bytes.";
    "log.initial.task.delay.ms": long("30000").at_least(0.0).low().internal()
        => "How long after the start the periodic work on logs begins.";
    "log.local.retention.bytes": long("-2").at_least(-2.0).cluster_wide().not_yet("tiered storage")
        => "How many bytes a partition of a tiered topic keeps on this broker's disk; -2 stands for its \
            retention.bytes.";
    "log.local.retention.ms": long("-2").at_least(-2.0).cluster_wide().not_yet("tiered storage")
        => "How long a tiered topic keeps segments on this broker's disk; -2 stands for its retention.ms.";
    "log.message.downconversion.enable": boolean("true").cluster_wide().low().not_yet("old record formats")
        => "Whether records are converted to older formats for clients that know no newer one.";
    "log.message.format.version": string("3.0-IV1").valid(Valid::MetadataVersion)
        .not("batches are always stored in format 2; leave the key out") => "The record format of old releases.";
    "log.message.timestamp.after.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide()
        => "How far a producer's timestamp may lie in the future; topics override it as \
            message.timestamp.after.max.ms.";
    "log.message.timestamp.before.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide()
        => "How far a producer's timestamp may lie in the past; topics override it as \
            message.timestamp.before.max.ms.";
    "log.message.timestamp.difference.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide()
        => "How far a producer's timestamp may lie from now in either direction, where the two newer keys do not \
            limit it.";
    "log.message.timestamp.type": string("CreateTime").one_of(&["CreateTime", "LogAppendTime"]).cluster_wide()
        => "Whether records carry the producer's timestamp or the time of the append; topics override it as \
            message.timestamp.type.";
    "log.preallocate": boolean("false").cluster_wide()
        => "Whether the file of a new segment is created at its full size; topics override it as preallocate.";
    "log.retention.bytes": long("-1").cluster_wide().high()
        => "How large a partition may grow before its oldest segments are deleted; -1 sets no limit; topics override \
            it as retention.bytes.";
    "log.retention.check.interval.ms": long("300000").at_least(1.0)
        => "How often the broker looks for segments that are due to be deleted.";
    "log.retention.hours": int("168").high()
        => "How many hours a segment is kept, where neither log.retention.minutes nor log.retention.ms is set; -1 \
            keeps it for ever.";
    "log.retention.minutes": int_null().high()
        => "How many minutes a segment is kept, where log.retention.ms is not set; -1 keeps it for ever.";
    "log.retention.ms": long_null().cluster_wide().high()
        => "How many milliseconds a segment is kept; -1 keeps it for ever; topics override it as retention.ms.";
    "log.roll.hours": int("168").at_least(1.0).high()
        => "After how many hours a segment is rolled although it is not full, where log.roll.ms is not set.";
    "log.roll.jitter.hours": int("0").at_least(0.0).high()
        => "By up to how many hours rolling is brought forward at random, where log.roll.jitter.ms is not set.";
    "log.roll.jitter.ms": long_null().cluster_wide().high()
        => "By up to how many milliseconds rolling is brought forward at random, so that not all partitions roll at \
            once; topics override it as segment.jitter.ms.";
    "log.roll.ms": long_null().cluster_wide().high()
        => "After how many milliseconds a segment is rolled although it is not full; topics override it as \
            segment.ms.";
    "log.segment.bytes": int("1073741824").at_least(14.0).cluster_wide().high()
        => "How large a segment may become before the next one is begun; topics override it as segment.bytes.";
    "log.segment.delete.delay.ms": long("60000").at_least(0.0).cluster_wide().high()
        => "How long a deleted segment's files stay on disk, renamed; topics override it as file.delete.delay.ms.";
    "max.request.partition.size.limit": int("2000").at_least(1.0)
        .not_yet("DescribeTopicPartitions")
        => "How many partitions one DescribeTopicPartitions response describes at most.";
    "message.max.bytes": int("1048588").at_least(0.0).cluster_wide().high()
        => "How large a batch may be as it is stored; topics override it as max.message.bytes.";
    "min.insync.replicas": int("1").at_least(1.0).cluster_wide().high()
        => "How many replicas must be in sync for a produce with acks=all to succeed; topics override it.";
    "num.partitions": int("1").at_least(1.0) => "How many partitions a topic gets where nobody says how many.";
    "num.recovery.threads.per.data.dir": int("1").at_least(1.0).cluster_wide().high()
        => "How many threads per directory open and recover logs at the start and flush them at the end.";
}
