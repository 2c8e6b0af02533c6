//! Keys of replication, the controller and quotas.

use crate::definition::{Definition, Valid, boolean, class_null, int, int_null, long, string, string_null};

super::keys! {
    "alter.log.dirs.replication.quota.window.num": int("11").at_least(1.0).low().not_yet("quotas")
        => "How many windows are kept to measure the moving of partitions between directories.";
    "alter.log.dirs.replication.quota.window.size.seconds": int("1").at_least(1.0).low().not_yet("quotas")
        => "How long one of those windows lasts.";
    "auto.leader.rebalance.enable": boolean("true").high()
        => "Whether leadership is given back to the preferred replicas from time to time.";
    "client.quota.callback.class": class_null().low().not("Java classes are not loaded")
        => "A Java class that decides about client quotas.";
    "controlled.shutdown.enable": boolean("true")
        => "Whether a broker hands over its leaderships before it stops.";
    "controlled.shutdown.max.retries": int("3")
        => "How often handing over is tried again when it fails.";
    "controlled.shutdown.retry.backoff.ms": long("5000")
        => "How long to wait between those attempts.";
    "controller.quota.window.num": int("11").at_least(1.0).low().not_yet("quotas")
        => "How many windows are kept to measure changes of topics.";
    "controller.quota.window.size.seconds": int("1").at_least(1.0).low().not_yet("quotas")
        => "How long one of those windows lasts.";
    "controller.socket.timeout.ms": int("30000")
        => "How long the controller waits for a broker's answer.";
    "default.replication.factor": int("1") => "How many replicas a topic gets where nobody says how many.";
    "delete.records.purgatory.purge.interval.requests": int("1").not("what waits is removed as soon as it is done")
        => "How often Kafka clears away waiting DeleteRecords requests that are done.";
    "fetch.purgatory.purge.interval.requests": int("1000").not("what waits is removed as soon as it is done")
        => "How often Kafka clears away waiting Fetch requests that are done.";
    "inter.broker.listener.name": string_null() => "The listener that brokers use among each other.";
    "inter.broker.protocol.version": string("3.9-IV0").valid(Valid::MetadataVersion)
        => "The release whose protocol brokers speak among each other and whose features the cluster uses; from 2.8 \
            to 3.9.";
    "leader.imbalance.check.interval.seconds": long("300").at_least(1.0).high()
        => "How often the controller looks at how leadership is spread.";
    "leader.imbalance.per.broker.percentage": int("10").high()
        => "How many percent of a broker's leaderships may be elsewhere before they are given back.";
    "num.replica.alter.log.dirs.threads": int_null().high().not_yet("moving partitions between directories")
        => "How many threads move partitions between directories.";
    "num.replica.fetchers": int("1").cluster_wide().high().not_yet("clusters")
        => "How many connections fetch from each other broker.";
    "producer.purgatory.purge.interval.requests": int("1000").not("what waits is removed as soon as it is done")
        => "How often Kafka clears away waiting Produce requests that are done.";
    "quota.window.num": int("11").at_least(1.0).low().not_yet("quotas")
        => "How many windows are kept to measure client quotas.";
    "quota.window.size.seconds": int("1").at_least(1.0).low().not_yet("quotas")
        => "How long one of those windows lasts.";
    "replica.fetch.backoff.ms": int("1000").at_least(0.0)
        => "How long a follower waits after a partition's fetch failed.";
    "replica.fetch.max.bytes": int("1048576").at_least(0.0)
        => "How many bytes a follower asks for per partition.";
    "replica.fetch.min.bytes": int("1").high() => "How many bytes a follower's fetch waits for.";
    "replica.fetch.response.max.bytes": int("10485760").at_least(0.0)
        => "How many bytes a follower asks for in all.";
    "replica.fetch.wait.max.ms": int("500").high() => "How long a follower's fetch waits for data.";
    "replica.high.watermark.checkpoint.interval.ms": long("5000").high()
        => "How often high watermarks are written to their checkpoint.";
    "replica.lag.time.max.ms": long("30000").high()
        => "For how long a follower may be behind before it leaves the ISR.";
    "replica.selector.class": string_null()
        => "The Java class that chooses the replica a consumer reads from.";
    "replica.socket.receive.buffer.bytes": int("65536").high().not_yet("clusters")
        => "The receive buffer of a follower's connections.";
    "replica.socket.timeout.ms": int("30000").high()
        => "How long a follower waits for the answer to a fetch.";
    "replication.quota.window.num": int("11").at_least(1.0).low().not_yet("quotas")
        => "How many windows are kept to measure replication quotas.";
    "replication.quota.window.size.seconds": int("1").at_least(1.0).low().not_yet("quotas")
        => "How long one of those windows lasts.";
    "security.inter.broker.protocol": string("PLAINTEXT").one_of(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        => "The security protocol that brokers use among each other, where inter.broker.listener.name is not set.";
    "unclean.leader.election.enable": boolean("false").cluster_wide().high()
        => "Whether a replica that is not in sync may lead when no other can, at the price of records; topics \
            override it.";
    "unclean.leader.election.interval.ms": long("300000").at_least(1.0).internal()
        .not("the controller acts when something changes")
        => "How often a Raft controller looks for partitions without a leader.";
}
