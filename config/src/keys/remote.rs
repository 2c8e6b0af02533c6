//! Keys of tiered storage.

use crate::definition::{Definition, Valid, boolean, double, int, long, string, string_null};

super::keys! {
    "remote.fetch.max.wait.ms": int("500").at_least(1.0).cluster_wide() => "";
    "remote.log.index.file.cache.total.size.bytes": long("1073741824").at_least(1.0).cluster_wide().low() => "";
    "remote.log.manager.copier.thread.pool.size": int("-1").valid(Valid::PositiveOrMinusOne) => "";
    "remote.log.manager.copy.max.bytes.per.second": long("9223372036854775807").at_least(1.0).cluster_wide() => "";
    "remote.log.manager.copy.quota.window.num": int("11").at_least(1.0) => "";
    "remote.log.manager.copy.quota.window.size.seconds": int("1").at_least(1.0) => "";
    "remote.log.manager.expiration.thread.pool.size": int("-1").valid(Valid::PositiveOrMinusOne) => "";
    "remote.log.manager.fetch.max.bytes.per.second": long("9223372036854775807").at_least(1.0).cluster_wide() => "";
    "remote.log.manager.fetch.quota.window.num": int("11").at_least(1.0) => "";
    "remote.log.manager.fetch.quota.window.size.seconds": int("1").at_least(1.0) => "";
    "remote.log.manager.task.interval.ms": long("30000").at_least(1.0).low() => "";
    "remote.log.manager.task.retry.backoff.max.ms": long("30000").at_least(1.0).low().internal() => "";
    "remote.log.manager.task.retry.backoff.ms": long("500").at_least(1.0).low().internal() => "";
    "remote.log.manager.task.retry.jitter": double("0.2").between(0.0, 0.5).low().internal() => "";
    "remote.log.manager.thread.pool.size": int("10").at_least(1.0) => "";
    "remote.log.metadata.custom.metadata.max.bytes": int("128").at_least(0.0).low() => "";
    "remote.log.metadata.manager.class.name": string("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager")
        .valid(Valid::NonEmpty) => "";
    "remote.log.metadata.manager.class.path": string_null() => "";
    "remote.log.metadata.manager.impl.prefix": string("rlmm.config.").valid(Valid::NonEmpty) => "";
    "remote.log.metadata.manager.listener.name": string_null().valid(Valid::NonEmpty) => "";
    "remote.log.reader.max.pending.tasks": int("100").at_least(1.0) => "";
    "remote.log.reader.threads": int("10").at_least(1.0) => "";
    "remote.log.storage.manager.class.name": string_null().valid(Valid::NonEmpty) => "";
    "remote.log.storage.manager.class.path": string_null() => "";
    "remote.log.storage.manager.impl.prefix": string("rsm.config.").valid(Valid::NonEmpty) => "";
    "remote.log.storage.system.enable": boolean("false") => "";
}
