//! Keys of TLS, SASL, authorisation, secrets.

use crate::definition::{
    Definition, Valid, boolean, class, class_null, double, int, int_null, list, list_null, long, password_null, short,
    string, string_null,
};

super::keys! {
    "authorizer.class.name": string("").valid(Valid::NonNull).low()
        => "What decides who may do what. This version has no authorisation and refuses the key.";
    "connection.failed.authentication.delay.ms": int("100").at_least(0.0).low().not_yet("SASL")
        => "How long the answer to a failed authentication is held back.";
    "connections.max.reauth.ms": long("0").not_yet("SASL")
        => "After how long a SASL connection must authenticate anew; 0 for never.";
    "delegation.token.expiry.check.interval.ms": long("3600000").at_least(1.0).low().not_yet("delegation tokens")
        => "How often the broker looks for delegation tokens that have expired.";
    "delegation.token.expiry.time.ms": long("86400000").at_least(1.0).not_yet("delegation tokens")
        => "After how long a delegation token expires unless it is renewed.";
    "delegation.token.master.key": password_null().not_yet("delegation tokens")
        => "The old name of delegation.token.secret.key.";
    "delegation.token.max.lifetime.ms": long("604800000").at_least(1.0).not_yet("delegation tokens")
        => "For how long a delegation token can be renewed.";
    "delegation.token.secret.key": password_null().not_yet("delegation tokens")
        => "The secret that delegation tokens are made with; the same on every broker.";
    "password.encoder.cipher.algorithm": string("AES/CBC/PKCS5Padding").low().not_yet("clusters on ZooKeeper")
        => "The cipher that hides secrets among dynamic configurations in ZooKeeper.";
    "password.encoder.iterations": int("4096").at_least(1024.0).low().not_yet("clusters on ZooKeeper")
        => "How often the key of that cipher is derived.";
    "password.encoder.key.length": int("128").at_least(8.0).low().not_yet("clusters on ZooKeeper")
        => "How many bits the key of that cipher has.";
    "password.encoder.keyfactory.algorithm": string_null().low().not_yet("clusters on ZooKeeper")
        => "How the key of that cipher is derived.";
    "password.encoder.old.secret": password_null().not_yet("clusters on ZooKeeper")
        => "The secret that was used before password.encoder.secret.";
    "password.encoder.secret": password_null().not_yet("clusters on ZooKeeper")
        => "The secret that dynamic passwords in ZooKeeper are hidden with.";
    "principal.builder.class": class("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder")
        .per_broker().not("Java classes are not loaded; see ssl.principal.mapping.rules")
        => "The Java class that makes a principal of a certificate or a login.";
    "sasl.client.callback.handler.class": class_null().not("Java classes are not loaded")
        => "A Java class for SASL between brokers.";
    "sasl.enabled.mechanisms": list("GSSAPI").per_broker().not_yet("SASL")
        => "The SASL mechanisms that clients may use.";
    "sasl.jaas.config": password_null().per_broker().not_yet("SASL")
        => "Users and passwords in Java's JAAS syntax, per listener and mechanism.";
    "sasl.kerberos.kinit.cmd": string("/usr/bin/kinit").per_broker().not_yet("SASL")
        => "The command that obtains a Kerberos ticket.";
    "sasl.kerberos.min.time.before.relogin": long("60000").per_broker().not_yet("SASL")
        => "How long to wait at least between two Kerberos logins.";
    "sasl.kerberos.principal.to.local.rules": list("DEFAULT").per_broker().not_yet("SASL")
        => "How a Kerberos principal becomes a user name.";
    "sasl.kerberos.service.name": string_null().per_broker().not_yet("SASL")
        => "The Kerberos service name of the brokers.";
    "sasl.kerberos.ticket.renew.jitter": double("0.05").per_broker().not_yet("SASL")
        => "By which share the renewal of a ticket varies at random.";
    "sasl.kerberos.ticket.renew.window.factor": double("0.8").per_broker().not_yet("SASL")
        => "After which share of its life a ticket is renewed.";
    "sasl.login.callback.handler.class": class_null().not("Java classes are not loaded")
        => "A Java class for SASL logins.";
    "sasl.login.class": class_null().not("Java classes are not loaded") => "A Java class for SASL logins.";
    "sasl.login.connect.timeout.ms": int_null().low().not_yet("SASL")
        => "How long connecting to an OAuth server may take.";
    "sasl.login.read.timeout.ms": int_null().low().not_yet("SASL") => "How long an OAuth server may take to answer.";
    "sasl.login.refresh.buffer.seconds": short("300").per_broker().not_yet("SASL")
        => "How long before it expires an OAuth token is renewed at the latest.";
    "sasl.login.refresh.min.period.seconds": short("60").per_broker().not_yet("SASL")
        => "How long an OAuth token is used at least.";
    "sasl.login.refresh.window.factor": double("0.8").per_broker().not_yet("SASL")
        => "After which share of its life an OAuth token is renewed.";
    "sasl.login.refresh.window.jitter": double("0.05").per_broker().not_yet("SASL")
        => "By which share that varies at random.";
    "sasl.login.retry.backoff.max.ms": long("10000").low().not_yet("SASL")
        => "The longest wait before an OAuth server is asked again.";
    "sasl.login.retry.backoff.ms": long("100").low().not_yet("SASL")
        => "The first wait before an OAuth server is asked again.";
    "sasl.mechanism.controller.protocol": string("GSSAPI").high().not("there is no Raft quorum")
        => "The SASL mechanism towards a Raft quorum's controllers.";
    "sasl.mechanism.inter.broker.protocol": string("GSSAPI").per_broker().not_yet("SASL")
        => "The SASL mechanism that brokers use among each other.";
    "sasl.oauthbearer.clock.skew.seconds": int("30").low().not_yet("SASL")
        => "How far the clock of an OAuth server may be off.";
    "sasl.oauthbearer.expected.audience": list_null().low().not_yet("SASL")
        => "The audience that an OAuth token must name.";
    "sasl.oauthbearer.expected.issuer": string_null().low().not_yet("SASL")
        => "The issuer that an OAuth token must name.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": long("3600000").low().not_yet("SASL")
        => "How often the keys of an OAuth server are fetched.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": long("10000").low().not_yet("SASL")
        => "The longest wait before those keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": long("100").low().not_yet("SASL")
        => "The first wait before those keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.url": string_null().not_yet("SASL")
        => "Where the keys of an OAuth server are found.";
    "sasl.oauthbearer.scope.claim.name": string("scope").low().not_yet("SASL")
        => "The claim of an OAuth token that holds its scope.";
    "sasl.oauthbearer.sub.claim.name": string("sub").low().not_yet("SASL")
        => "The claim of an OAuth token that holds the user.";
    "sasl.oauthbearer.token.endpoint.url": string_null().not_yet("SASL") => "Where OAuth tokens are issued.";
    "sasl.server.callback.handler.class": class_null().not("Java classes are not loaded")
        => "A Java class that checks SASL logins.";
    "sasl.server.max.receive.size": int("524288").not_yet("SASL") => "How large a SASL message of a client may be.";
    "security.providers": string_null().low().not("Java classes are not loaded")
        => "Java classes that provide cryptography.";
    "ssl.allow.dn.changes": boolean("false").low().not_yet("TLS")
        => "Whether a certificate that replaces another at run time may bear another name.";
    "ssl.allow.san.changes": boolean("false").low().not_yet("TLS")
        => "Whether a certificate that replaces another at run time may bear other alternative names.";
    "ssl.cipher.suites": list("").per_broker().not_yet("TLS") => "Which TLS cipher suites may be used.";
    "ssl.client.auth": string("none").one_of(&["required", "requested", "none"]).per_broker().not_yet("TLS")
        => "Whether clients must, may or need not present a certificate.";
    "ssl.enabled.protocols": list("TLSv1.2,TLSv1.3").per_broker().not_yet("TLS") => "Which TLS versions may be used.";
    "ssl.endpoint.identification.algorithm": string("https").per_broker().low().not_yet("TLS")
        => "Whether another broker's certificate must bear its host name: https or empty.";
    "ssl.engine.factory.class": class_null().per_broker().low().not("Java classes are not loaded")
        => "A Java class that makes TLS engines.";
    "ssl.key.password": password_null().per_broker().not_yet("TLS") => "The password of the private key.";
    "ssl.keymanager.algorithm": string("SunX509").per_broker().not("it belongs to Java's TLS")
        => "How Java finds a key in its store.";
    "ssl.keystore.certificate.chain": password_null().per_broker().not_yet("TLS")
        => "The broker's certificates as PEM text.";
    "ssl.keystore.key": password_null().per_broker().not_yet("TLS") => "The broker's private key as PEM text.";
    "ssl.keystore.location": string_null().per_broker().not_yet("TLS")
        => "The file with the broker's certificate and key.";
    "ssl.keystore.password": password_null().per_broker().not_yet("TLS") => "The password of that file.";
    "ssl.keystore.type": string("JKS").per_broker().not_yet("TLS") => "The format of that file: JKS, PKCS12 or PEM.";
    "ssl.principal.mapping.rules": string("DEFAULT").low().not_yet("TLS")
        => "How a certificate's name becomes a user name.";
    "ssl.protocol": string("TLSv1.3").per_broker().not_yet("TLS") => "The TLS version that is tried first.";
    "ssl.provider": string_null().per_broker().not("it belongs to Java's TLS") => "The Java security provider of TLS.";
    "ssl.secure.random.implementation": string_null().per_broker().low().not("it belongs to Java's TLS")
        => "Java's source of randomness for TLS.";
    "ssl.trustmanager.algorithm": string("PKIX").per_broker().not("it belongs to Java's TLS")
        => "How Java checks certificates.";
    "ssl.truststore.certificates": password_null().per_broker().not_yet("TLS")
        => "The trusted certificates as PEM text.";
    "ssl.truststore.location": string_null().per_broker().not_yet("TLS") => "The file with the trusted certificates.";
    "ssl.truststore.password": password_null().per_broker().not_yet("TLS") => "The password of that file.";
    "ssl.truststore.type": string("JKS").per_broker().not_yet("TLS") => "The format of that file: JKS, PKCS12 or PEM.";
}
