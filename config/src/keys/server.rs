//! Keys of the broker itself, its listeners and connections.

use crate::definition::{Definition, boolean, int, list, long, string, string_null};

super::keys! {
    "advertised.listeners": string_null().per_broker().high()
        => "The addresses that clients are told, one per listener name. Without it every client is told the local \
            address of its own connection; port 0 stands for the port that the listener is bound to.";
    "auto.include.jmx.reporter": boolean("true").low().not("there is no JMX")
        => "Whether Kafka adds its JMX reporter to metric.reporters.";
    "background.threads": int("10").at_least(1.0).cluster_wide().high()
        .not("what runs in the background needs no threads of its own")
        => "How many threads do work that no request waits for.";
    "broker.id": int("-1").high()
        => "The number of this broker in its cluster; -1 lets it be generated. node.id is the same under another \
            name.";
    "broker.id.generation.enable": boolean("true")
        => "Whether a broker.id of -1 is replaced by a generated one: the lowest free number above \
            reserved.broker.max.id.";
    "broker.rack": string_null()
        => "Where this broker stands, so that replicas can be spread over racks and consumers can read nearby.";
    "connections.max.idle.ms": long("600000")
        => "After how long without a request a connection is closed; a negative value keeps idle connections open.";
    "control.plane.listener.name": string_null().high()
        .not("the controller's requests go before others without a listener of their own")
        => "The listener on which the controller's requests arrive.";
    "fetch.max.bytes": int("57671680").at_least(1024.0)
        => "How many bytes a Fetch response holds at most, whatever the client asks for; the first batch is returned \
            even if it alone is larger.";
    "kafka.metrics.polling.interval.secs": int("10").at_least(1.0).low().not("there are no Java metrics reporters")
        => "How often Kafka's metrics reporters are polled.";
    "kafka.metrics.reporters": list("").low().not("Java classes are not loaded")
        => "Java classes that receive Kafka's Yammer metrics.";
    "listener.security.protocol.map": string("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .per_broker().low() => "Which security protocol each listener name stands for, as pairs NAME:PROTOCOL.";
    "listeners": string("PLAINTEXT://:9092").per_broker().high()
        => "Where to accept connections: NAME://host:port, separated by commas. An empty host means every address, \
            port 0 any free port.";
    "max.connection.creation.rate": int("2147483647").at_least(0.0).cluster_wide().not_yet("quotas")
        => "How many new connections are accepted per second, over all listeners.";
    "max.connections": int("2147483647").at_least(0.0).cluster_wide()
        => "How many connections may be open at a time, over all listeners.";
    "max.connections.per.ip": int("2147483647").at_least(0.0).cluster_wide()
        => "How many connections one client address may hold at a time.";
    "max.connections.per.ip.overrides": string("").cluster_wide()
        => "Another limit of connections for some addresses or host names, as pairs address:count.";
    "max.incremental.fetch.session.cache.slots": int("1000").at_least(0.0)
        => "How many incremental fetch sessions (KIP-227) are kept at a time; 0 turns them off.";
    "metric.reporters": list("").cluster_wide().low().not("Java classes are not loaded")
        => "Java classes that receive metrics.";
    "metrics.num.samples": int("2").at_least(1.0).low().not_yet("metrics")
        => "How many windows a measured rate covers.";
    "metrics.recording.level": string("INFO").low().not_yet("metrics") => "From which level on metrics are recorded.";
    "metrics.sample.window.ms": long("30000").at_least(1.0).low().not_yet("metrics")
        => "How long one window of a measured rate lasts.";
    "num.io.threads": int("8").at_least(1.0).cluster_wide().high()
        => "How many threads may do work that blocks, such as inflating large batches; requests themselves are served by \
            one thread per processor.";
    "num.network.threads": int("3").at_least(1.0).cluster_wide().high()
        .not("requests are served by one thread per processor")
        => "How many threads serve connections.";
    "queued.max.request.bytes": long("-1")
        => "How many bytes of requests may be in work or waiting before no more are read; -1 stands for 256 MiB.";
    "queued.max.requests": int("500").at_least(1.0).high()
        .not("queued.max.request.bytes bounds what requests in work may take")
        => "How many requests may be in work or waiting before no more are read.";
    "request.timeout.ms": int("30000").high().not_yet("clusters")
        => "How long this broker waits for the answer to a request that it sent.";
    "reserved.broker.max.id": int("1000").at_least(0.0)
        => "The largest broker.id that may be chosen by hand; generated ones begin above it.";
    "socket.connection.setup.timeout.max.ms": long("30000").not_yet("clusters")
        => "Up to how long one attempt to connect to another broker may take after repeated failures.";
    "socket.connection.setup.timeout.ms": long("10000").not_yet("clusters")
        => "How long the first attempt to connect to another broker may take.";
    "socket.listen.backlog.size": int("50").at_least(1.0)
        => "How many connections may wait to be accepted, as far as the operating system allows.";
    "socket.receive.buffer.bytes": int("102400").high()
        => "The size of the socket's receive buffer; -1 leaves it to the operating system.";
    "socket.request.max.bytes": int("104857600").at_least(1.0).high()
        => "How large a request may be; a larger one closes its connection.";
    "socket.send.buffer.bytes": int("102400").high()
        => "The size of the socket's send buffer; -1 leaves it to the operating system.";
    "telemetry.max.bytes": int("1048576").at_least(1.0).low().not_yet("client metrics")
        => "How large the metrics that a client pushes (KIP-714) may be.";
}
