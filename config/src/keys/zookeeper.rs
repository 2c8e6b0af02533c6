//! Keys of ZooKeeper.

use crate::definition::{Definition, boolean, int, int_null, list_null, password_null, string, string_null};

super::keys! {
    "zookeeper.clientCnxnSocket": string_null()
        .not("Java classes are not loaded; zookeeper.ssl.client.enable is enough")
        => "The Java class of ZooKeeper's client for TLS.";
    "zookeeper.connect": string_null().high()
        => "The ZooKeeper servers of the cluster, host:port separated by commas, with an optional path at the end, which is made \
            if need be. Without this key the broker stands alone, on an embedded store.";
    "zookeeper.connection.timeout.ms": int_null().high()
        => "How long the first connection to ZooKeeper may take; zookeeper.session.timeout.ms counts where it is not \
            set.";
    "zookeeper.max.in.flight.requests": int("10").at_least(1.0).high()
        => "How many requests to ZooKeeper may be unanswered.";
    "zookeeper.metadata.migration.enable": boolean("false").high().not("there is no Raft quorum to move to")
        => "Whether the cluster moves from ZooKeeper to a Raft quorum.";
    "zookeeper.metadata.migration.min.batch.size": int("200").at_least(1.0).internal()
        .not("there is no Raft quorum to move to") => "How many records that migration writes at a time.";
    "zookeeper.session.timeout.ms": int("18000").high()
        => "After how long without contact ZooKeeper considers the broker dead.";
    "zookeeper.set.acl": boolean("false").high()
        => "Whether znodes are created so that only the broker's own identity may change them.";
    "zookeeper.ssl.cipher.suites": list_null().low().not_yet("TLS")
        => "Which TLS cipher suites are used towards ZooKeeper.";
    "zookeeper.ssl.client.enable": boolean("false").not_yet("TLS")
        => "Whether ZooKeeper is spoken to in TLS.";
    "zookeeper.ssl.crl.enable": boolean("false").low().not_yet("TLS")
        => "Whether certificate revocation lists are asked.";
    "zookeeper.ssl.enabled.protocols": list_null().low().not_yet("TLS")
        => "Which TLS versions are used towards ZooKeeper.";
    "zookeeper.ssl.endpoint.identification.algorithm": string("HTTPS").low().not_yet("TLS")
        => "Whether ZooKeeper's certificate must bear its host name: HTTPS or empty.";
    "zookeeper.ssl.keystore.location": string_null().not_yet("TLS")
        => "The file with this broker's certificate and key towards ZooKeeper.";
    "zookeeper.ssl.keystore.password": password_null().not_yet("TLS") => "The password of that file.";
    "zookeeper.ssl.keystore.type": string_null().not_yet("TLS") => "The format of that file.";
    "zookeeper.ssl.ocsp.enable": boolean("false").low().not_yet("TLS")
        => "Whether OCSP is asked about ZooKeeper's certificate.";
    "zookeeper.ssl.protocol": string("TLSv1.2").low().not_yet("TLS")
        => "The TLS version that is tried first.";
    "zookeeper.ssl.truststore.location": string_null().not_yet("TLS")
        => "The file with the certificates that are trusted towards ZooKeeper.";
    "zookeeper.ssl.truststore.password": password_null().not_yet("TLS")
        => "The password of that file.";
    "zookeeper.ssl.truststore.type": string_null().not_yet("TLS") => "The format of that file.";
}
