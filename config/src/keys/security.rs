//! Keys of TLS, SASL, authorisation, secrets.

use crate::definition::{
    Definition, Valid, boolean, class, class_null, double, int, int_null, list, list_null, long, password_null, short,
    string, string_null,
};

super::keys! {
    "authorizer.class.name": string("").valid(Valid::NonNull).low() => "";
    "connection.failed.authentication.delay.ms": int("100").at_least(0.0).low() => "";
    "connections.max.reauth.ms": long("0") => "";
    "delegation.token.expiry.check.interval.ms": long("3600000").at_least(1.0).low() => "";
    "delegation.token.expiry.time.ms": long("86400000").at_least(1.0) => "";
    "delegation.token.master.key": password_null() => "";
    "delegation.token.max.lifetime.ms": long("604800000").at_least(1.0) => "";
    "delegation.token.secret.key": password_null() => "";
    "password.encoder.cipher.algorithm": string("AES/CBC/PKCS5Padding").low() => "";
    "password.encoder.iterations": int("4096").at_least(1024.0).low() => "";
    "password.encoder.key.length": int("128").at_least(8.0).low() => "";
    "password.encoder.keyfactory.algorithm": string_null().low() => "";
    "password.encoder.old.secret": password_null() => "";
    "password.encoder.secret": password_null() => "";
    "principal.builder.class": class("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder")
        .per_broker() => "";
    "sasl.client.callback.handler.class": class_null() => "";
    "sasl.enabled.mechanisms": list("GSSAPI").per_broker() => "";
    "sasl.jaas.config": password_null().per_broker() => "";
    "sasl.kerberos.kinit.cmd": string("/usr/bin/kinit").per_broker() => "";
    "sasl.kerberos.min.time.before.relogin": long("60000").per_broker() => "";
    "sasl.kerberos.principal.to.local.rules": list("DEFAULT").per_broker() => "";
    "sasl.kerberos.service.name": string_null().per_broker() => "";
    "sasl.kerberos.ticket.renew.jitter": double("0.05").per_broker() => "";
    "sasl.kerberos.ticket.renew.window.factor": double("0.8").per_broker() => "";
    "sasl.login.callback.handler.class": class_null() => "";
    "sasl.login.class": class_null() => "";
    "sasl.login.connect.timeout.ms": int_null().low() => "";
    "sasl.login.read.timeout.ms": int_null().low() => "";
    "sasl.login.refresh.buffer.seconds": short("300").per_broker() => "";
    "sasl.login.refresh.min.period.seconds": short("60").per_broker() => "";
    "sasl.login.refresh.window.factor": double("0.8").per_broker() => "";
    "sasl.login.refresh.window.jitter": double("0.05").per_broker() => "";
    "sasl.login.retry.backoff.max.ms": long("10000").low() => "";
    "sasl.login.retry.backoff.ms": long("100").low() => "";
    "sasl.mechanism.controller.protocol": string("GSSAPI").high() => "";
    "sasl.mechanism.inter.broker.protocol": string("GSSAPI").per_broker() => "";
    "sasl.oauthbearer.clock.skew.seconds": int("30").low() => "";
    "sasl.oauthbearer.expected.audience": list_null().low() => "";
    "sasl.oauthbearer.expected.issuer": string_null().low() => "";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": long("3600000").low() => "";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": long("10000").low() => "";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": long("100").low() => "";
    "sasl.oauthbearer.jwks.endpoint.url": string_null() => "";
    "sasl.oauthbearer.scope.claim.name": string("scope").low() => "";
    "sasl.oauthbearer.sub.claim.name": string("sub").low() => "";
    "sasl.oauthbearer.token.endpoint.url": string_null() => "";
    "sasl.server.callback.handler.class": class_null() => "";
    "sasl.server.max.receive.size": int("524288") => "";
    "security.providers": string_null().low() => "";
    "ssl.allow.dn.changes": boolean("false").low() => "";
    "ssl.allow.san.changes": boolean("false").low() => "";
    "ssl.cipher.suites": list("").per_broker() => "";
    "ssl.client.auth": string("none").one_of(&["required", "requested", "none"]).per_broker() => "";
    "ssl.enabled.protocols": list("TLSv1.2,TLSv1.3").per_broker() => "";
    "ssl.endpoint.identification.algorithm": string("https").per_broker().low() => "";
    "ssl.engine.factory.class": class_null().per_broker().low() => "";
    "ssl.key.password": password_null().per_broker() => "";
    "ssl.keymanager.algorithm": string("SunX509").per_broker() => "";
    "ssl.keystore.certificate.chain": password_null().per_broker() => "";
    "ssl.keystore.key": password_null().per_broker() => "";
    "ssl.keystore.location": string_null().per_broker() => "";
    "ssl.keystore.password": password_null().per_broker() => "";
    "ssl.keystore.type": string("JKS").per_broker() => "";
    "ssl.principal.mapping.rules": string("DEFAULT").low() => "";
    "ssl.protocol": string("TLSv1.3").per_broker() => "";
    "ssl.provider": string_null().per_broker() => "";
    "ssl.secure.random.implementation": string_null().per_broker().low() => "";
    "ssl.trustmanager.algorithm": string("PKIX").per_broker() => "";
    "ssl.truststore.certificates": password_null().per_broker() => "";
    "ssl.truststore.location": string_null().per_broker() => "";
    "ssl.truststore.password": password_null().per_broker() => "";
    "ssl.truststore.type": string("JKS").per_broker() => "";
}
