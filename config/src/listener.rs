//! Listeners and their advertised addresses: `NAME://host:port`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// What is spoken on a listener (Kafka's `SecurityProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither authenticated nor encrypted.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL in TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name of the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The protocol of this name, in any case.
    pub fn find(name: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// An address to accept connections on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in upper case.
    pub name: String,
    /// A host name or an address without brackets; empty for every address of the machine.
    pub host: String,
    /// The port; 0 for any free one.
    pub port: u16,
    /// What is spoken there.
    pub security_protocol: SecurityProtocol,
}

/// The address that clients are told for a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvertisedListener {
    /// The name of the listener that it belongs to, in upper case.
    pub name: String,
    /// A host name or an address without brackets; empty for the local address of the client's own connection.
    pub host: String,
    /// The port; 0 for the one that the listener is bound to.
    pub port: u16,
}

/// One `NAME://host:port` of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndPoint {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for EndPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "{}://[{}]:{}", self.name, self.host, self.port),
            false => write!(formatter, "{}://{}:{}", self.name, self.host, self.port),
        }
    }
}

impl EndPoint {
    /// Reads `NAME://host:port`, `NAME://[IPv6]:port` or `NAME://:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("Unable to parse {text} to a broker endpoint: expected NAME://host:port");
        let (name, address) = text.split_once("://").ok_or_else(form)?;
        if name.is_empty() {
            return Err(form());
        }
        let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => {
                let inner = inner.strip_suffix(']').ok_or_else(form)?;
                let address = inner.split('%').next().unwrap_or(inner);
                if address.parse::<Ipv6Addr>().is_err() {
                    return Err(format!("{inner} in {text} is no IPv6 address"));
                }
                inner
            }
            None if host.contains(':') && host.parse::<Ipv6Addr>().is_err() => return Err(form()),
            None => host,
        };
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte);
        if !host.bytes().all(valid) {
            return Err(format!("{host} in {text} is no host name"));
        }
        let port = port
            .parse()
            .map_err(|_| format!("{port} in {text} is no port between 0 and 65535"))?;
        Ok(Self {
            name: name.to_uppercase(),
            host: host.to_owned(),
            port,
        })
    }

    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Reads a list of endpoints; every faulty one is an error of its own.
pub(crate) fn parse_list(text: &str) -> Result<Vec<EndPoint>, Vec<String>> {
    let (mut endpoints, mut errors) = (Vec::new(), Vec::new());
    for element in text.split(',').map(str::trim).filter(|element| !element.is_empty()) {
        match EndPoint::parse(element) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(endpoints) } else { Err(errors) }
}

/// Names must differ; ports too, but for 0 and for one IPv4 and one IPv6 address that share a port.
pub(crate) fn check_distinct(endpoints: &[EndPoint], ports: bool) -> Vec<String> {
    let mut errors = Vec::new();
    let mut names = BTreeMap::<&str, usize>::new();
    let mut by_port = BTreeMap::<u16, Vec<&EndPoint>>::new();
    for endpoint in endpoints {
        *names.entry(&endpoint.name).or_default() += 1;
        if endpoint.port != 0 {
            by_port.entry(endpoint.port).or_default().push(endpoint);
        }
    }
    for (name, count) in names.into_iter().filter(|(_, count)| *count > 1) {
        errors.push(format!(
            "Each listener must have a different name, but {count} are named {name}"
        ));
    }
    for (port, sharing) in by_port.into_iter().filter(|(_, sharing)| ports && sharing.len() > 1) {
        let versions: Vec<_> = sharing
            .iter()
            .map(|endpoint| endpoint.address().map(|address| address.is_ipv4()))
            .collect();
        if versions != [Some(true), Some(false)] && versions != [Some(false), Some(true)] {
            errors.push(format!(
                "Each listener must have a different port unless exactly one listener has an IPv4 address and the other \
                 an IPv6 address, but {} share port {port}",
                sharing.iter().map(|endpoint| endpoint.name.as_str()).collect::<Vec<_>>().join(", "),
            ));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn endpoint(name: &str, host: &str, port: u16) -> EndPoint {
        EndPoint {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn endpoints_are_read() {
        let cases = [
            ("PLAINTEXT://:9092", endpoint("PLAINTEXT", "", 9092)),
            (
                "internal://broker-1.example:0",
                endpoint("INTERNAL", "broker-1.example", 0),
            ),
            ("TC-0://0.0.0.0:1", endpoint("TC-0", "0.0.0.0", 1)),
            ("A://[::1]:65535", endpoint("A", "::1", 65535)),
            ("A://[fe80::1%eth0]:1", endpoint("A", "fe80::1%eth0", 1)),
            ("A://::1:9092", endpoint("A", "::1", 9092)),
        ];
        for (text, expected) in cases {
            assert_eq!(EndPoint::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "A",
            "A:9092",
            "A://",
            "A://h",
            "://h:1",
            "A://h:-1",
            "A://h:65536",
            "A://[::1]",
            "A://[h]:1",
            "A://a b:1",
        ] {
            assert!(EndPoint::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = parse_list(&text);
        }

        #[test]
        fn an_endpoint_is_read_back_from_its_text(
            name in "[A-Z][A-Z0-9_-]{0,10}",
            host in prop_oneof![
                Just(String::new()),
                "[a-z][a-z0-9.-]{0,20}",
                any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
                any::<Ipv6Addr>().prop_map(|address| address.to_string()),
            ],
            port in any::<u16>(),
        ) {
            let endpoint = EndPoint { name, host, port };
            prop_assert_eq!(EndPoint::parse(&endpoint.to_string()), Ok(endpoint));
        }
    }
}
