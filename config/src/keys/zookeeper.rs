//! Keys of ZooKeeper.

use crate::definition::{Definition, boolean, int, int_null, list_null, password_null, string, string_null};

super::keys! {
    "zookeeper.clientCnxnSocket": string_null() => "";
    "zookeeper.connect": string_null().high() => "";
    "zookeeper.connection.timeout.ms": int_null().high() => "";
    "zookeeper.max.in.flight.requests": int("10").at_least(1.0).high() => "";
    "zookeeper.metadata.migration.enable": boolean("false").high() => "";
    "zookeeper.metadata.migration.min.batch.size": int("200").at_least(1.0).internal() => "";
    "zookeeper.session.timeout.ms": int("18000").high() => "";
    "zookeeper.set.acl": boolean("false").high() => "";
    "zookeeper.ssl.cipher.suites": list_null().low() => "";
    "zookeeper.ssl.client.enable": boolean("false") => "";
    "zookeeper.ssl.crl.enable": boolean("false").low() => "";
    "zookeeper.ssl.enabled.protocols": list_null().low() => "";
    "zookeeper.ssl.endpoint.identification.algorithm": string("HTTPS").low() => "";
    "zookeeper.ssl.keystore.location": string_null() => "";
    "zookeeper.ssl.keystore.password": password_null() => "";
    "zookeeper.ssl.keystore.type": string_null() => "";
    "zookeeper.ssl.ocsp.enable": boolean("false").low() => "";
    "zookeeper.ssl.protocol": string("TLSv1.2").low() => "";
    "zookeeper.ssl.truststore.location": string_null() => "";
    "zookeeper.ssl.truststore.password": password_null() => "";
    "zookeeper.ssl.truststore.type": string_null() => "";
}
