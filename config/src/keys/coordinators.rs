//! Keys of groups, offsets, producers and transactions.

use crate::definition::{Definition, Valid, boolean, int, list, long, short, string};

super::keys! {
    "group.consumer.assignors": list("org.apache.kafka.coordinator.group.assignor.UniformAssignor,org.apache.kafka.coordinator.group.assignor.RangeAssignor")
        .not_yet("the new group protocol")
        => "The assignors that the broker offers to consumer groups of the new protocol (KIP-848).";
    "group.consumer.heartbeat.interval.ms": int("5000").at_least(1.0).not_yet("the new group protocol")
        => "How often members of a new-protocol consumer group send heartbeats.";
    "group.consumer.max.heartbeat.interval.ms": int("15000").at_least(1.0).not_yet("the new group protocol")
        => "The longest heartbeat interval that a group may choose.";
    "group.consumer.max.session.timeout.ms": int("60000").at_least(1.0).not_yet("the new group protocol")
        => "The longest session timeout that a group may choose.";
    "group.consumer.max.size": int("2147483647").at_least(1.0).not_yet("the new group protocol")
        => "How many members a new-protocol consumer group may have.";
    "group.consumer.migration.policy": string("disabled")
        .valid(Valid::OneOfAnyCase(&["BIDIRECTIONAL", "DISABLED", "DOWNGRADE", "UPGRADE"])).internal()
        .not_yet("the new group protocol")
        => "Whether a group may change between the classic and the new protocol while it has members.";
    "group.consumer.min.heartbeat.interval.ms": int("5000").at_least(1.0).not_yet("the new group protocol")
        => "The shortest heartbeat interval that a group may choose.";
    "group.consumer.min.session.timeout.ms": int("45000").at_least(1.0).not_yet("the new group protocol")
        => "The shortest session timeout that a group may choose.";
    "group.consumer.session.timeout.ms": int("45000").at_least(1.0).not_yet("the new group protocol")
        => "After how long without a heartbeat a member of a new-protocol consumer group is removed.";
    "group.coordinator.append.linger.ms": int("10").at_least(0.0)
        .not("records that meet are appended together without waiting")
        => "How long Kafka's new coordinator gathers records before it appends them.";
    "group.coordinator.new.enable": boolean("false").internal().not("there is one group coordinator")
        => "Whether Kafka uses its rewritten group coordinator.";
    "group.coordinator.rebalance.protocols": list("classic").one_of(&["consumer", "classic", "share", "unknown"])
        .not_yet("the new group protocol") => "Which group protocols are offered; classic is always among them.";
    "group.coordinator.threads": int("1").at_least(1.0).not("the group coordinator needs no threads of its own")
        => "How many threads Kafka's new coordinator uses.";
    "group.initial.rebalance.delay.ms": int("3000")
        => "How long the first rebalance of an empty group waits for more members to join.";
    "group.max.session.timeout.ms": int("1800000")
        => "The longest session timeout that a member of a classic group may ask for.";
    "group.max.size": int("2147483647").at_least(1.0) => "How many members a classic group may have.";
    "group.min.session.timeout.ms": int("6000")
        => "The shortest session timeout that a member of a classic group may ask for.";
    "group.share.delivery.count.limit": int("5").between(2.0, 10.0).not_yet("share groups")
        => "How often a share group delivers a record before it gives it up.";
    "group.share.enable": boolean("false").internal().not_yet("share groups")
        => "Whether share groups (KIP-932) are offered.";
    "group.share.heartbeat.interval.ms": int("5000").at_least(1.0).not_yet("share groups")
        => "How often members of a share group send heartbeats.";
    "group.share.max.groups": short("10").between(1.0, 100.0).not_yet("share groups")
        => "How many share groups there may be.";
    "group.share.max.heartbeat.interval.ms": int("15000").at_least(1.0).not_yet("share groups")
        => "The longest heartbeat interval that a share group may choose.";
    "group.share.max.record.lock.duration.ms": int("60000").between(30000.0, 3600000.0).not_yet("share groups")
        => "The longest lock on a record that a share group may choose.";
    "group.share.max.session.timeout.ms": int("60000").at_least(1.0).not_yet("share groups")
        => "The longest session timeout that a share group may choose.";
    "group.share.max.size": short("200").between(10.0, 1000.0).not_yet("share groups")
        => "How many members a share group may have.";
    "group.share.min.heartbeat.interval.ms": int("5000").at_least(1.0).not_yet("share groups")
        => "The shortest heartbeat interval that a share group may choose.";
    "group.share.min.record.lock.duration.ms": int("15000").between(1000.0, 30000.0).not_yet("share groups")
        => "The shortest lock on a record that a share group may choose.";
    "group.share.min.session.timeout.ms": int("45000").at_least(1.0).not_yet("share groups")
        => "The shortest session timeout that a share group may choose.";
    "group.share.partition.max.record.locks": int("200").between(100.0, 10000.0).not_yet("share groups")
        => "How many records of a partition may be locked at a time.";
    "group.share.record.lock.duration.ms": int("30000").between(1000.0, 60000.0).not_yet("share groups")
        => "For how long a delivered record is locked for its consumer.";
    "group.share.session.timeout.ms": int("45000").at_least(1.0).not_yet("share groups")
        => "After how long without a heartbeat a member of a share group is removed.";
    "offset.metadata.max.bytes": int("4096").high()
        => "How large the text may be that a client commits beside an offset.";
    "offsets.commit.required.acks": short("-1").high()
        .not("offset commits always wait for all replicas in sync")
        => "Which acknowledgement an offset commit waits for.";
    "offsets.commit.timeout.ms": int("5000").at_least(1.0).high()
        => "How long an offset commit waits for its replicas before it fails.";
    "offsets.load.buffer.size": int("5242880").at_least(1.0).high()
        => "How many bytes of __consumer_offsets are read at a time when groups are loaded.";
    "offsets.retention.check.interval.ms": long("600000").at_least(1.0).high()
        => "How often the broker looks for committed offsets that have expired.";
    "offsets.retention.minutes": int("10080").at_least(1.0).high()
        => "How long the offsets of a group without members, or of a topic to which it no longer subscribes, are \
            kept.";
    "offsets.topic.compression.codec": int("0").high()
        => "By which codec __consumer_offsets is written: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "offsets.topic.num.partitions": int("50").at_least(1.0).high()
        => "How many partitions __consumer_offsets gets; it must not change once that topic exists.";
    "offsets.topic.replication.factor": short("3").at_least(1.0).high()
        => "How many replicas __consumer_offsets gets. Where it is not set and fewer brokers are alive, that many \
            are enough.";
    "offsets.topic.segment.bytes": int("104857600").at_least(1.0).high()
        => "How large a segment of __consumer_offsets may become; small ones load faster.";
    "producer.id.expiration.check.interval.ms": int("600000").at_least(1.0).low().internal()
        => "How often the broker looks for idle producer ids that have expired.";
    "producer.id.expiration.ms": int("86400000").at_least(1.0).cluster_wide().low()
        => "After how long without a write a partition forgets an idempotent producer.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": int("10000").at_least(1.0).low()
        .not_yet("transactions") => "How often the broker looks for transactions that have outlived their timeout.";
    "transaction.max.timeout.ms": int("900000").at_least(1.0).high().not_yet("transactions")
        => "The longest timeout that a producer may ask for its transactions.";
    "transaction.partition.verification.enable": boolean("true").cluster_wide().low().not_yet("transactions")
        => "Whether a partition asks the coordinator if a transaction is open before it takes the first record of \
            it.";
    "transaction.remove.expired.transaction.cleanup.interval.ms": int("3600000").at_least(1.0).low()
        .not_yet("transactions") => "How often the broker looks for transactional ids that have expired.";
    "transaction.state.log.load.buffer.size": int("5242880").at_least(1.0).high().not_yet("transactions")
        => "How many bytes of __transaction_state are read at a time when it is loaded.";
    "transaction.state.log.min.isr": int("2").at_least(1.0).high().not_yet("transactions")
        => "The min.insync.replicas of __transaction_state.";
    "transaction.state.log.num.partitions": int("50").at_least(1.0).high().not_yet("transactions")
        => "How many partitions __transaction_state gets; it must not change once that topic exists.";
    "transaction.state.log.replication.factor": short("3").at_least(1.0).high().not_yet("transactions")
        => "How many replicas __transaction_state gets.";
    "transaction.state.log.segment.bytes": int("104857600").at_least(1.0).high().not_yet("transactions")
        => "How large a segment of __transaction_state may become.";
    "transactional.id.expiration.ms": int("604800000").at_least(1.0).high().not_yet("transactions")
        => "After how long without a transaction a transactional id is forgotten.";
}
