//! Between the strings of frames and those that groups keep. A string that a group keeps must not keep its frame alive.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use protocol::wire::Utf8Bytes;

/// A copy to keep.
pub fn owned(text: &Utf8Bytes) -> Arc<str> {
    Arc::from(&**text)
}

/// A copy to keep, where there is something.
pub fn owned_option(text: &Option<Utf8Bytes>) -> Option<Arc<str>> {
    text.as_ref().map(owned)
}

/// For a response.
pub fn text(text: &Arc<str>) -> Utf8Bytes {
    Utf8Bytes::from(&**text)
}

/// For a nullable field of a response.
pub fn text_option(option: &Option<Arc<str>>) -> Option<Utf8Bytes> {
    option.as_ref().map(text)
}

/// An address as Java's `InetAddress` writes it, without a host name: that is what tools show of a member, and what
/// the log keeps.
pub fn client_host(address: IpAddr) -> Arc<str> {
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    Arc::from(match address {
        IpAddr::V4(v4) => format!("/{v4}"),
        IpAddr::V6(v6) => format!("/{}", uncompressed(v6)),
    })
}

fn uncompressed(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_writes_them() {
        for (address, expected) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("2001:db8::ff00:42", "/2001:db8:0:0:0:0:ff00:42"),
            ("::ffff:10.0.0.7", "/10.0.0.7"),
        ] {
            assert_eq!(&*client_host(address.parse().unwrap()), expected);
        }
    }
}
