//! `zookeeper.connect`: servers and the path below which everything lies (`org.apache.zookeeper.client.ConnectStringParser`).

/// Refuses what names no servers, or a path that is none.
pub(crate) fn check_connect(connect: &str) -> Result<(), String> {
    let (servers, path) = match connect.find('/') {
        Some(at) => connect.split_at(at),
        None => (connect, "/"),
    };
    for server in servers.split(',') {
        check_server(server.trim())?;
    }
    let parts_are_good = || path[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
    if path != "/" && (!parts_are_good() || path.chars().any(char::is_control)) {
        return Err(format!("{path:?} is not the path of a znode"));
    }
    Ok(())
}

/// `host`, `host:port` or `[address]:port`.
fn check_server(server: &str) -> Result<(), String> {
    let (host, port) = match server.rfind(']') {
        Some(end) => server.split_at(end + 1),
        None => server.split_at(server.find(':').unwrap_or(server.len())),
    };
    let port_is_good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    match host.trim_matches(['[', ']']).is_empty() || !port_is_good {
        true => Err(format!("{server:?} is not host:port")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check_connect;

    #[test]
    fn servers_and_path_are_told_apart() {
        for good in [
            "a",
            "a:2181",
            "a:1,b:2, c:3",
            "[::1]:2181,b/kafka",
            "10.0.0.1:2181/deep/down",
            "a/",
        ] {
            assert_eq!(check_connect(good), Ok(()), "{good}");
        }
        for bad in [
            "/kafka", "a:,b:1", "a:x", "a:0", "a:65536", ":2181", "a,,b", "a/b//c", "a/b/", "a/../b", "[]:1",
        ] {
            assert!(check_connect(bad).is_err(), "{bad}");
        }
    }
}
