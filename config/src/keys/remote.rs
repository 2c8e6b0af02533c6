//! Keys of tiered storage.

use crate::definition::{Definition, Valid, boolean, double, int, long, string, string_null};

super::keys! {
    "remote.fetch.max.wait.ms": int("500").at_least(1.0).cluster_wide().not_yet("tiered storage")
        => "How long a fetch waits for tiered storage.";
    "remote.log.index.file.cache.total.size.bytes": long("1073741824").at_least(1.0).cluster_wide().low()
        .not_yet("tiered storage") => "How much disk cached indexes of tiered segments may take.";
    "remote.log.manager.copier.thread.pool.size": int("-1").valid(Valid::PositiveOrMinusOne).not_yet("tiered storage")
        => "How many threads copy segments to tiered storage.";
    "remote.log.manager.copy.max.bytes.per.second": long("9223372036854775807").at_least(1.0).cluster_wide()
        .not_yet("tiered storage") => "How many bytes a second are copied to tiered storage.";
    "remote.log.manager.copy.quota.window.num": int("11").at_least(1.0).not_yet("tiered storage")
        => "How many windows are kept to measure that.";
    "remote.log.manager.copy.quota.window.size.seconds": int("1").at_least(1.0).not_yet("tiered storage")
        => "How long one of those windows lasts.";
    "remote.log.manager.expiration.thread.pool.size": int("-1").valid(Valid::PositiveOrMinusOne)
        .not_yet("tiered storage") => "How many threads delete expired tiered segments.";
    "remote.log.manager.fetch.max.bytes.per.second": long("9223372036854775807").at_least(1.0).cluster_wide()
        .not_yet("tiered storage") => "How many bytes a second are read from tiered storage.";
    "remote.log.manager.fetch.quota.window.num": int("11").at_least(1.0).not_yet("tiered storage")
        => "How many windows are kept to measure that.";
    "remote.log.manager.fetch.quota.window.size.seconds": int("1").at_least(1.0).not_yet("tiered storage")
        => "How long one of those windows lasts.";
    "remote.log.manager.task.interval.ms": long("30000").at_least(1.0).low().not_yet("tiered storage")
        => "How often the broker looks for segments to copy or to delete.";
    "remote.log.manager.task.retry.backoff.max.ms": long("30000").at_least(1.0).low().internal()
        .not_yet("tiered storage") => "The longest wait before such work is tried again.";
    "remote.log.manager.task.retry.backoff.ms": long("500").at_least(1.0).low().internal().not_yet("tiered storage")
        => "The first wait before such work is tried again.";
    "remote.log.manager.task.retry.jitter": double("0.2").between(0.0, 0.5).low().internal().not_yet("tiered storage")
        => "By which share that wait varies at random.";
    "remote.log.manager.thread.pool.size": int("10").at_least(1.0).not_yet("tiered storage")
        => "How many threads work on tiered storage where no other key says so.";
    "remote.log.metadata.custom.metadata.max.bytes": int("128").at_least(0.0).low().not_yet("tiered storage")
        => "How large a storage plug-in's own metadata of a segment may be.";
    "remote.log.metadata.manager.class.name": string("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager")
        .valid(Valid::NonEmpty).not("Java classes are not loaded")
        => "The Java class that keeps the metadata of tiered segments.";
    "remote.log.metadata.manager.class.path": string_null().not("Java classes are not loaded")
        => "Where that class is found.";
    "remote.log.metadata.manager.impl.prefix": string("rlmm.config.").valid(Valid::NonEmpty)
        .not("Java classes are not loaded") => "With what the keys of that class begin.";
    "remote.log.metadata.manager.listener.name": string_null().valid(Valid::NonEmpty)
        .not("Java classes are not loaded") => "The listener that this class connects to.";
    "remote.log.reader.max.pending.tasks": int("100").at_least(1.0).not_yet("tiered storage")
        => "How many reads from tiered storage may wait.";
    "remote.log.reader.threads": int("10").at_least(1.0).not_yet("tiered storage")
        => "How many threads read from tiered storage.";
    "remote.log.storage.manager.class.name": string_null().valid(Valid::NonEmpty).not("Java classes are not loaded")
        => "The Java class that stores segments.";
    "remote.log.storage.manager.class.path": string_null().not("Java classes are not loaded")
        => "Where that class is found.";
    "remote.log.storage.manager.impl.prefix": string("rsm.config.").valid(Valid::NonEmpty)
        .not("Java classes are not loaded") => "With what the keys of that class begin.";
    "remote.log.storage.system.enable": boolean("false").not_yet("tiered storage")
        => "Whether topics may use tiered storage.";
}
