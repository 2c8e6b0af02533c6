//! Keys of Kafka's own Raft quorum and its metadata log.

use crate::definition::{Definition, Valid, boolean, int, list, long, string_null};

super::keys! {
    "broker.heartbeat.interval.ms": int("2000") => "";
    "broker.session.timeout.ms": int("9000") => "";
    "controller.listener.names": string_null().high() => "";
    "controller.quorum.append.linger.ms": int("25") => "";
    "controller.quorum.bootstrap.servers": list("").valid(Valid::NonEmptyList).high() => "";
    "controller.quorum.election.backoff.max.ms": int("1000").high() => "";
    "controller.quorum.election.timeout.ms": int("1000").high() => "";
    "controller.quorum.fetch.timeout.ms": int("2000").high() => "";
    "controller.quorum.request.timeout.ms": int("2000") => "";
    "controller.quorum.retry.backoff.ms": int("20").low() => "";
    "controller.quorum.voters": list("").valid(Valid::NonEmptyList).high() => "";
    "early.start.listeners": string_null().high() => "";
    "eligible.leader.replicas.enable": boolean("false").high() => "";
    "initial.broker.registration.timeout.ms": int("60000") => "";
    "metadata.log.dir": string_null().high() => "";
    "metadata.log.max.record.bytes.between.snapshots": long("20971520").at_least(1.0).high() => "";
    "metadata.log.max.snapshot.interval.ms": long("3600000").at_least(0.0).high() => "";
    "metadata.log.segment.bytes": int("1073741824").at_least(12.0).high() => "";
    "metadata.log.segment.min.bytes": int("8388608").at_least(12.0).high().internal() => "";
    "metadata.log.segment.ms": long("604800000").high() => "";
    "metadata.max.idle.interval.ms": int("500").at_least(0.0).low() => "";
    "metadata.max.retention.bytes": long("104857600").high() => "";
    "metadata.max.retention.ms": long("604800000").high() => "";
    "node.id": int("-1").high() => "";
    "process.roles": list("").one_of(&["broker", "controller"]).high() => "";
    "server.max.startup.time.ms": long("9223372036854775807").at_least(0.0).internal() => "";
    "unstable.api.versions.enable": boolean("false").high().internal() => "";
    "unstable.feature.versions.enable": boolean("false").high().internal() => "";
}
