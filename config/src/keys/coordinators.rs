//! Keys of groups, offsets, producers and transactions.

use crate::definition::{Definition, Valid, boolean, int, list, long, short, string};

super::keys! {
    "group.consumer.assignors": list("org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.kafka.coordinator.group.assignor.RangeAssignor")
        => "";
    "group.consumer.heartbeat.interval.ms": int("5000").at_least(1.0) => "";
    "group.consumer.max.heartbeat.interval.ms": int("15000").at_least(1.0) => "";
    "group.consumer.max.session.timeout.ms": int("60000").at_least(1.0) => "";
    "group.consumer.max.size": int("2147483647").at_least(1.0) => "";
    "group.consumer.migration.policy": string("disabled")
        .valid(Valid::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])).internal() => "";
    "group.consumer.min.heartbeat.interval.ms": int("5000").at_least(1.0) => "";
    "group.consumer.min.session.timeout.ms": int("45000").at_least(1.0) => "";
    "group.consumer.session.timeout.ms": int("45000").at_least(1.0) => "";
    "group.coordinator.append.linger.ms": int("10").at_least(0.0) => "";
    "group.coordinator.new.enable": boolean("false").internal() => "";
    "group.coordinator.rebalance.protocols": list("classic").one_of(&["consumer", "classic", "share", "unknown"]) => "";
    "group.coordinator.threads": int("1").at_least(1.0) => "";
    "group.initial.rebalance.delay.ms": int("3000") => "";
    "group.max.session.timeout.ms": int("1800000") => "";
    "group.max.size": int("2147483647").at_least(1.0) => "";
    "group.min.session.timeout.ms": int("6000") => "";
    "group.share.delivery.count.limit": int("5").between(2.0, 10.0) => "";
    "group.share.enable": boolean("false").internal() => "";
    "group.share.heartbeat.interval.ms": int("5000").at_least(1.0) => "";
    "group.share.max.groups": short("10").between(1.0, 100.0) => "";
    "group.share.max.heartbeat.interval.ms": int("15000").at_least(1.0) => "";
    "group.share.max.record.lock.duration.ms": int("60000").between(30000.0, 3600000.0) => "";
    "group.share.max.session.timeout.ms": int("60000").at_least(1.0) => "";
    "group.share.max.size": short("200").between(10.0, 1000.0) => "";
    "group.share.min.heartbeat.interval.ms": int("5000").at_least(1.0) => "";
    "group.share.min.record.lock.duration.ms": int("15000").between(1000.0, 30000.0) => "";
    "group.share.min.session.timeout.ms": int("45000").at_least(1.0) => "";
    "group.share.partition.max.record.locks": int("200").between(100.0, 10000.0) => "";
    "group.share.record.lock.duration.ms": int("30000").between(1000.0, 60000.0) => "";
    "group.share.session.timeout.ms": int("45000").at_least(1.0) => "";
    "offset.metadata.max.bytes": int("4096").high() => "";
    "offsets.commit.required.acks": short("-1").high() => "";
    "offsets.commit.timeout.ms": int("5000").at_least(1.0).high() => "";
    "offsets.load.buffer.size": int("5242880").at_least(1.0).high() => "";
    "offsets.retention.check.interval.ms": long("600000").at_least(1.0).high() => "";
    "offsets.retention.minutes": int("10080").at_least(1.0).high() => "";
    "offsets.topic.compression.codec": int("0").high() => "";
    "offsets.topic.num.partitions": int("50").at_least(1.0).high() => "";
    "offsets.topic.replication.factor": short("3").at_least(1.0).high() => "";
    "offsets.topic.segment.bytes": int("104857600").at_least(1.0).high() => "";
    "producer.id.expiration.check.interval.ms": int("600000").at_least(1.0).low().internal() => "";
    "producer.id.expiration.ms": int("86400000").at_least(1.0).cluster_wide().low() => "";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": int("10000").at_least(1.0).low() => "";
    "transaction.max.timeout.ms": int("900000").at_least(1.0).high() => "";
    "transaction.partition.verification.enable": boolean("true").cluster_wide().low() => "";
    "transaction.remove.expired.transaction.cleanup.interval.ms": int("3600000").at_least(1.0).low() => "";
    "transaction.state.log.load.buffer.size": int("5242880").at_least(1.0).high() => "";
    "transaction.state.log.min.isr": int("2").at_least(1.0).high() => "";
    "transaction.state.log.num.partitions": int("50").at_least(1.0).high() => "";
    "transaction.state.log.replication.factor": short("3").at_least(1.0).high() => "";
    "transaction.state.log.segment.bytes": int("104857600").at_least(1.0).high() => "";
    "transactional.id.expiration.ms": int("604800000").at_least(1.0).high() => "";
}
