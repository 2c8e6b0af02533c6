//! Keys of topics and their logs.

use crate::definition::{
    Definition, Valid, boolean, class_null, double, int, int_null, list, long, long_null, string, string_null,
};

super::keys! {
    "alter.config.policy.class.name": class_null().low() => "";
    "auto.create.topics.enable": boolean("true").high() => "";
    "compression.gzip.level": int("-1").valid(Valid::GzipLevel).cluster_wide() => "";
    "compression.lz4.level": int("9").between(1.0, 17.0).cluster_wide() => "";
    "compression.type": string("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide().high() => "";
    "compression.zstd.level": int("3").between(-131072.0, 22.0).cluster_wide() => "";
    "create.topic.policy.class.name": class_null().low() => "";
    "delete.topic.enable": boolean("true").high() => "";
    "log.cleaner.backoff.ms": long("15000").at_least(0.0).cluster_wide() => "";
    "log.cleaner.dedupe.buffer.size": long("134217728").cluster_wide() => "";
    "log.cleaner.delete.retention.ms": long("86400000").at_least(0.0).cluster_wide() => "";
    "log.cleaner.enable": boolean("true") => "";
    "log.cleaner.io.buffer.load.factor": double("0.9").cluster_wide() => "";
    "log.cleaner.io.buffer.size": int("524288").at_least(0.0).cluster_wide() => "";
    "log.cleaner.io.max.bytes.per.second": double("1.7976931348623157E308").cluster_wide() => "";
    "log.cleaner.max.compaction.lag.ms": long("9223372036854775807").at_least(1.0).cluster_wide() => "";
    "log.cleaner.min.cleanable.ratio": double("0.5").between(0.0, 1.0).cluster_wide() => "";
    "log.cleaner.min.compaction.lag.ms": long("0").at_least(0.0).cluster_wide() => "";
    "log.cleaner.threads": int("1").at_least(0.0).cluster_wide() => "";
    "log.cleanup.policy": list("delete").one_of(&["compact", "delete"]).cluster_wide() => "";
    "log.dir": string("/tmp/kafka-logs").high() => "";
    "log.dir.failure.timeout.ms": long("30000").at_least(1.0).low() => "";
    "log.dirs": string_null().high() => "";
    "log.flush.interval.messages": long("9223372036854775807").at_least(1.0).cluster_wide().high() => "";
    "log.flush.interval.ms": long_null().cluster_wide().high() => "";
    "log.flush.offset.checkpoint.interval.ms": int("60000").at_least(0.0).high() => "";
    "log.flush.scheduler.interval.ms": long("9223372036854775807").high() => "";
    "log.flush.start.offset.checkpoint.interval.ms": int("60000").at_least(0.0).high() => "";
    "log.index.interval.bytes": int("4096").at_least(0.0).cluster_wide() => "";
    "log.index.size.max.bytes": int("10485760").at_least(4.0).cluster_wide() => "";
    "log.initial.task.delay.ms": long("30000").at_least(0.0).low().internal() => "";
    "log.local.retention.bytes": long("-2").at_least(-2.0).cluster_wide() => "";
    "log.local.retention.ms": long("-2").at_least(-2.0).cluster_wide() => "";
    "log.message.downconversion.enable": boolean("true").cluster_wide().low() => "";
    "log.message.format.version": string("3.0-IV1").valid(Valid::MetadataVersion) => "";
    "log.message.timestamp.after.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide() => "";
    "log.message.timestamp.before.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide() => "";
    "log.message.timestamp.difference.max.ms": long("9223372036854775807").at_least(0.0).cluster_wide() => "";
    "log.message.timestamp.type": string("CreateTime").one_of(&["CreateTime", "LogAppendTime"]).cluster_wide() => "";
    "log.preallocate": boolean("false").cluster_wide() => "";
    "log.retention.bytes": long("-1").cluster_wide().high() => "";
    "log.retention.check.interval.ms": long("300000").at_least(1.0) => "";
    "log.retention.hours": int("168").high() => "";
    "log.retention.minutes": int_null().high() => "";
    "log.retention.ms": long_null().cluster_wide().high() => "";
    "log.roll.hours": int("168").at_least(1.0).high() => "";
    "log.roll.jitter.hours": int("0").at_least(0.0).high() => "";
    "log.roll.jitter.ms": long_null().cluster_wide().high() => "";
    "log.roll.ms": long_null().cluster_wide().high() => "";
    "log.segment.bytes": int("1073741824").at_least(14.0).cluster_wide().high() => "";
    "log.segment.delete.delay.ms": long("60000").at_least(0.0).cluster_wide().high() => "";
    "max.request.partition.size.limit": int("2000").at_least(1.0) => "";
    "message.max.bytes": int("1048588").at_least(0.0).cluster_wide().high() => "";
    "min.insync.replicas": int("1").at_least(1.0).cluster_wide().high() => "";
    "num.partitions": int("1").at_least(1.0) => "";
    "num.recovery.threads.per.data.dir": int("1").at_least(1.0).cluster_wide().high() => "";
}
