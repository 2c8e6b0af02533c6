//! Keys of the broker itself, its listeners and connections.

use crate::definition::{Definition, boolean, int, list, long, string, string_null};

super::keys! {
    "advertised.listeners": string_null().per_broker().high() => "";
    "auto.include.jmx.reporter": boolean("true").low() => "";
    "background.threads": int("10").at_least(1.0).cluster_wide().high() => "";
    "broker.id": int("-1").high() => "";
    "broker.id.generation.enable": boolean("true") => "";
    "broker.rack": string_null() => "";
    "connections.max.idle.ms": long("600000") => "";
    "control.plane.listener.name": string_null().high() => "";
    "fetch.max.bytes": int("57671680").at_least(1024.0) => "";
    "kafka.metrics.polling.interval.secs": int("10").at_least(1.0).low() => "";
    "kafka.metrics.reporters": list("").low() => "";
    "listener.security.protocol.map": string("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .per_broker().low() => "";
    "listeners": string("PLAINTEXT://:9092").per_broker().high() => "";
    "max.connection.creation.rate": int("2147483647").at_least(0.0).cluster_wide() => "";
    "max.connections": int("2147483647").at_least(0.0).cluster_wide() => "";
    "max.connections.per.ip": int("2147483647").at_least(0.0).cluster_wide() => "";
    "max.connections.per.ip.overrides": string("").cluster_wide() => "";
    "max.incremental.fetch.session.cache.slots": int("1000").at_least(0.0) => "";
    "metric.reporters": list("").cluster_wide().low() => "";
    "metrics.num.samples": int("2").at_least(1.0).low() => "";
    "metrics.recording.level": string("INFO").low() => "";
    "metrics.sample.window.ms": long("30000").at_least(1.0).low() => "";
    "num.io.threads": int("8").at_least(1.0).cluster_wide().high() => "";
    "num.network.threads": int("3").at_least(1.0).cluster_wide().high() => "";
    "queued.max.request.bytes": long("-1") => "";
    "queued.max.requests": int("500").at_least(1.0).high() => "";
    "request.timeout.ms": int("30000").high() => "";
    "reserved.broker.max.id": int("1000").at_least(0.0) => "";
    "socket.connection.setup.timeout.max.ms": long("30000") => "";
    "socket.connection.setup.timeout.ms": long("10000") => "";
    "socket.listen.backlog.size": int("50").at_least(1.0) => "";
    "socket.receive.buffer.bytes": int("102400").high() => "";
    "socket.request.max.bytes": int("104857600").at_least(1.0).high() => "";
    "socket.send.buffer.bytes": int("102400").high() => "";
    "telemetry.max.bytes": int("1048576").at_least(1.0).low() => "";
}
