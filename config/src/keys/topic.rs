//! Keys of topics: what overrides the defaults of the broker.

use crate::definition::{Definition, Valid, boolean, double, int, list, long, string};

super::keys! {
    "cleanup.policy": list("delete").one_of(&["compact", "delete"]) => "";
    "compression.gzip.level": int("-1").valid(Valid::GzipLevel) => "";
    "compression.lz4.level": int("9").between(1.0, 17.0) => "";
    "compression.type": string("producer").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]) => "";
    "compression.zstd.level": int("3").between(-131072.0, 22.0) => "";
    "delete.retention.ms": long("86400000").at_least(0.0) => "";
    "file.delete.delay.ms": long("60000").at_least(0.0) => "";
    "flush.messages": long("9223372036854775807").at_least(1.0) => "";
    "flush.ms": long("9223372036854775807").at_least(0.0) => "";
    "follower.replication.throttled.replicas": list("").valid(Valid::ThrottledReplicas) => "";
    "index.interval.bytes": int("4096").at_least(0.0) => "";
    "leader.replication.throttled.replicas": list("").valid(Valid::ThrottledReplicas) => "";
    "local.retention.bytes": long("-2").at_least(-2.0) => "";
    "local.retention.ms": long("-2").at_least(-2.0) => "";
    "max.compaction.lag.ms": long("9223372036854775807").at_least(1.0) => "";
    "max.message.bytes": int("1048588").at_least(0.0) => "";
    "message.downconversion.enable": boolean("true").low() => "";
    "message.format.version": string("3.0-IV1").valid(Valid::MetadataVersion) => "";
    "message.timestamp.after.max.ms": long("9223372036854775807").at_least(0.0) => "";
    "message.timestamp.before.max.ms": long("9223372036854775807").at_least(0.0) => "";
    "message.timestamp.difference.max.ms": long("9223372036854775807").at_least(0.0) => "";
    "message.timestamp.type": string("CreateTime").one_of(&["CreateTime", "LogAppendTime"]) => "";
    "min.cleanable.dirty.ratio": double("0.5").between(0.0, 1.0) => "";
    "min.compaction.lag.ms": long("0").at_least(0.0) => "";
    "min.insync.replicas": int("1").at_least(1.0) => "";
    "preallocate": boolean("false") => "";
    "remote.log.copy.disable": boolean("false") => "";
    "remote.log.delete.on.disable": boolean("false") => "";
    "remote.storage.enable": boolean("false") => "";
    "retention.bytes": long("-1") => "";
    "retention.ms": long("604800000").at_least(-1.0) => "";
    "segment.bytes": int("1073741824").at_least(14.0) => "";
    "segment.index.bytes": int("10485760").at_least(4.0) => "";
    "segment.jitter.ms": long("0").at_least(0.0) => "";
    "segment.ms": long("604800000").at_least(1.0) => "";
    "unclean.leader.election.enable": boolean("false") => "";
}
