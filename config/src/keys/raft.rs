//! Keys of Kafka's own Raft quorum and its metadata log.

use crate::definition::{Definition, Valid, boolean, int, list, long, string_null};

super::keys! {
    "broker.heartbeat.interval.ms": int("2000").not("there is no Raft quorum; see zookeeper.session.timeout.ms")
        => "How often a broker reports to a Raft quorum.";
    "broker.session.timeout.ms": int("9000").not("there is no Raft quorum; see zookeeper.session.timeout.ms")
        => "After how long a Raft quorum considers a silent broker dead.";
    "controller.listener.names": string_null().high()
        .not("the controller is part of the broker; the listeners that it names are not opened")
        => "The listeners of a Raft quorum's controllers.";
    "controller.quorum.append.linger.ms": int("25").not("there is no Raft quorum")
        => "How long a Raft leader gathers records before it writes them.";
    "controller.quorum.bootstrap.servers": list("").valid(Valid::NonEmptyList).high()
        .not("there is no Raft quorum; a single broker keeps its metadata itself") => "Where to find the Raft quorum.";
    "controller.quorum.election.backoff.max.ms": int("1000").high().not("there is no Raft quorum")
        => "The longest wait before the next Raft election.";
    "controller.quorum.election.timeout.ms": int("1000").high().not("there is no Raft quorum")
        => "How long a Raft election may take.";
    "controller.quorum.fetch.timeout.ms": int("2000").high().not("there is no Raft quorum")
        => "How long a Raft voter waits for its leader before it calls an election.";
    "controller.quorum.request.timeout.ms": int("2000").not("there is no Raft quorum")
        => "How long a Raft voter waits for an answer.";
    "controller.quorum.retry.backoff.ms": int("20").low().not("there is no Raft quorum")
        => "How long a Raft voter waits before it asks again.";
    "controller.quorum.voters": list("").valid(Valid::NonEmptyList).high()
        .not("there is no Raft quorum; a single broker keeps its metadata itself") => "The voters of the Raft quorum.";
    "early.start.listeners": string_null().high().not("listeners open when everything behind them is ready")
        => "Listeners that open before the broker may do what needs authorisation.";
    "eligible.leader.replicas.enable": boolean("false").high().not_yet("clusters")
        => "Whether replicas that left the ISR without losing records may be elected (KIP-966).";
    "initial.broker.registration.timeout.ms": int("60000").not("there is no Raft quorum")
        => "How long a broker waits to be registered by a Raft quorum.";
    "metadata.log.dir": string_null().high()
        => "Where the embedded metadata store keeps its file; without it the first of log.dirs.";
    "metadata.log.max.record.bytes.between.snapshots": long("20971520").at_least(1.0).high()
        .not("there is no metadata log") => "After how many bytes of its metadata log a Raft quorum takes a snapshot.";
    "metadata.log.max.snapshot.interval.ms": long("3600000").at_least(0.0).high().not("there is no metadata log")
        => "After how long a Raft quorum takes a snapshot.";
    "metadata.log.segment.bytes": int("1073741824").at_least(12.0).high().not("there is no metadata log")
        => "How large a segment of the metadata log may become.";
    "metadata.log.segment.min.bytes": int("8388608").at_least(12.0).high().internal().not("there is no metadata log")
        => "How small a segment of the metadata log may be.";
    "metadata.log.segment.ms": long("604800000").high().not("there is no metadata log")
        => "After how long a segment of the metadata log is rolled.";
    "metadata.max.idle.interval.ms": int("500").at_least(0.0).low().not("there is no metadata log")
        => "How often an idle Raft leader writes a record.";
    "metadata.max.retention.bytes": long("104857600").high().not("there is no metadata log")
        => "How large the metadata log and its snapshots may become.";
    "metadata.max.retention.ms": long("604800000").high().not("there is no metadata log")
        => "How long the metadata log and its snapshots are kept.";
    "node.id": int("-1").high() => "The number of this broker; the same as broker.id.";
    "process.roles": list("").one_of(&["broker", "controller"]).high()
        .not("every broker is its own controller; leave the key out")
        => "Which roles a process has in Kafka's Raft mode.";
    "server.max.startup.time.ms": long("9223372036854775807").at_least(0.0).internal()
        .not("a start either succeeds or fails by itself")
        => "After how long a start that does not finish is given up.";
    "unstable.api.versions.enable": boolean("false").high().internal().not("only what is final is offered")
        => "Whether versions of APIs that are not final are offered.";
    "unstable.feature.versions.enable": boolean("false").high().internal().not("only what is final is offered")
        => "Whether versions of features that are not final are offered.";
}
