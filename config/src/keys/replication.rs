//! Keys of replication, the controller and quotas.

use crate::definition::{Definition, Valid, boolean, class_null, int, int_null, long, string, string_null};

super::keys! {
    "alter.log.dirs.replication.quota.window.num": int("11").at_least(1.0).low() => "";
    "alter.log.dirs.replication.quota.window.size.seconds": int("1").at_least(1.0).low() => "";
    "auto.leader.rebalance.enable": boolean("true").high() => "";
    "client.quota.callback.class": class_null().low() => "";
    "controlled.shutdown.enable": boolean("true") => "";
    "controlled.shutdown.max.retries": int("3") => "";
    "controlled.shutdown.retry.backoff.ms": long("5000") => "";
    "controller.quota.window.num": int("11").at_least(1.0).low() => "";
    "controller.quota.window.size.seconds": int("1").at_least(1.0).low() => "";
    "controller.socket.timeout.ms": int("30000") => "";
    "default.replication.factor": int("1") => "";
    "delete.records.purgatory.purge.interval.requests": int("1") => "";
    "fetch.purgatory.purge.interval.requests": int("1000") => "";
    "inter.broker.listener.name": string_null() => "";
    "inter.broker.protocol.version": string("3.9-IV0").valid(Valid::MetadataVersion) => "";
    "leader.imbalance.check.interval.seconds": long("300").at_least(1.0).high() => "";
    "leader.imbalance.per.broker.percentage": int("10").high() => "";
    "num.replica.alter.log.dirs.threads": int_null().high() => "";
    "num.replica.fetchers": int("1").cluster_wide().high() => "";
    "producer.purgatory.purge.interval.requests": int("1000") => "";
    "quota.window.num": int("11").at_least(1.0).low() => "";
    "quota.window.size.seconds": int("1").at_least(1.0).low() => "";
    "replica.fetch.backoff.ms": int("1000").at_least(0.0) => "";
    "replica.fetch.max.bytes": int("1048576").at_least(0.0) => "";
    "replica.fetch.min.bytes": int("1").high() => "";
    "replica.fetch.response.max.bytes": int("10485760").at_least(0.0) => "";
    "replica.fetch.wait.max.ms": int("500").high() => "";
    "replica.high.watermark.checkpoint.interval.ms": long("5000").high() => "";
    "replica.lag.time.max.ms": long("30000").high() => "";
    "replica.selector.class": string_null() => "";
    "replica.socket.receive.buffer.bytes": int("65536").high() => "";
    "replica.socket.timeout.ms": int("30000").high() => "";
    "replication.quota.window.num": int("11").at_least(1.0).low() => "";
    "replication.quota.window.size.seconds": int("1").at_least(1.0).low() => "";
    "security.inter.broker.protocol": string("PLAINTEXT").one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        => "";
    "unclean.leader.election.enable": boolean("false").cluster_wide().high() => "";
    "unclean.leader.election.interval.ms": long("300000").at_least(1.0).internal() => "";
}
