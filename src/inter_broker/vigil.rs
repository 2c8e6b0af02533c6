//! A vigil: signs of life that are asked of a broker, and when their absence is evidence that its process is gone or hangs. Only what the
//! broker does or leaves counts: what this process cannot do, or has slept through, says nothing of anybody else.

use std::io::ErrorKind;
use std::time::Duration;

use controller::Endpoint;
use controller::ids::BrokerId;
use protocol::ApiKey;
use protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use tokio::time::Instant;

use super::connection::{Connection, ConnectionError};
use super::dial::Dial;

/// Between two signs of life that a vigil asks for.
const SIGN_OF_LIFE: Duration = Duration::from_millis(300);
/// Silence that is evidence of death.
const SILENCE: Duration = Duration::from_secs(2);
/// Before what has failed is tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// How much longer than it was given an attempt takes whose process did not run meanwhile.
const OVERSLEPT: Duration = Duration::from_millis(500);

/// What an attempt to get a sign of life has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// The broker has answered.
    Life,
    /// It has closed the connection: it may have too many, but somebody is there to close them. A process that ends does it as well,
    /// and refuses the next one.
    Closed,
    /// Its port refuses connections.
    Refused,
    /// No answer in time, or its host is not reached.
    Silence,
    /// What has failed is on this side.
    Nothing,
}

/// What the attempts of a vigil have shown so far.
#[derive(Debug, Default)]
struct Signs {
    refused: u32,
    closed: u32,
    silent: Duration,
}

impl Signs {
    /// Takes in an attempt whose last step, of at most [`SILENCE`], took that long. Whether there is evidence of death now.
    fn note(&mut self, sign: Sign, took: Duration) -> bool {
        let before = std::mem::take(self);
        match sign {
            Sign::Life | Sign::Nothing => {}
            Sign::Closed => self.closed = before.closed + 1,
            Sign::Refused => self.refused = before.refused + 1,
            Sign::Silence if took > SILENCE + OVERSLEPT => {}
            Sign::Silence => self.silent = before.silent + took + AGAIN,
        }
        self.refused >= 2 || self.silent >= SILENCE
    }

    /// How long nothing is asked after an attempt.
    fn pause_after(&self, sign: Sign) -> Duration {
        match sign {
            Sign::Life | Sign::Nothing => SIGN_OF_LIFE,
            // Once is how a process ends; again and again is a broker that has no room.
            Sign::Closed if self.closed > 1 => SIGN_OF_LIFE,
            Sign::Closed | Sign::Refused | Sign::Silence => AGAIN,
        }
    }
}

/// What an error of an attempt says of the other broker.
fn sort(error: &ConnectionError) -> Sign {
    match error {
        ConnectionError::Io { error, .. } => match error.kind() {
            ErrorKind::ConnectionRefused => Sign::Refused,
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Sign::Closed,
            ErrorKind::TimedOut | ErrorKind::HostUnreachable => Sign::Silence,
            // Whatever it says, it is there.
            ErrorKind::InvalidData => Sign::Life,
            // No file descriptor, no local port, no network, a name that does not resolve.
            _ => Sign::Nothing,
        },
        ConnectionError::TimedOut { .. } => Sign::Silence,
        ConnectionError::Decode(_) | ConnectionError::Unexpected { .. } => Sign::Life,
        ConnectionError::NoEndpoint { .. } | ConnectionError::Encode(_) => Sign::Nothing,
    }
}

/// Asks a broker for signs of life as broker `id`; returns with the evidence when there is some that it is dead.
pub(super) async fn watch(id: BrokerId, dial: &dyn Dial, endpoint: &Endpoint) -> String {
    let mut signs = Signs::default();
    let mut connection: Option<Connection> = None;
    let mut is_helpless = false;
    loop {
        let asked = ask(id, dial, endpoint, &mut connection).await;
        let (sign, took) = match &asked {
            Ok(()) => (Sign::Life, Duration::ZERO),
            Err((error, took)) => (sort(error), *took),
        };
        let is_evidence = signs.note(sign, took);
        if let Err((error, _)) = asked {
            connection = None;
            if is_evidence {
                return error.to_string();
            }
            if sign == Sign::Nothing && !is_helpless {
                log::warn!(
                    "whether the broker at {}:{} is alive cannot be seen from here: {error}",
                    endpoint.host,
                    endpoint.port
                );
            }
        }
        is_helpless = sign == Sign::Nothing;
        if rest(connection.as_mut(), signs.pause_after(sign)).await {
            connection = None;
        }
    }
}

/// Until the next sign of life is asked for; `true` where the connection has ended before.
async fn rest(connection: Option<&mut Connection>, pause: Duration) -> bool {
    let ended = async {
        match connection {
            Some(connection) => connection.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::time::timeout(pause, ended).await.is_ok()
}

/// One attempt; with an error, how long the step took that has failed.
async fn ask(
    id: BrokerId,
    dial: &dyn Dial,
    endpoint: &Endpoint,
    kept: &mut Option<Connection>,
) -> Result<(), (ConnectionError, Duration)> {
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let began = Instant::now();
            let connected = Connection::connect(dial, (&endpoint.host, endpoint.port), id, SILENCE).await;
            kept.insert(connected.map_err(|error| (error, began.elapsed()))?)
        }
    };
    let began = Instant::now();
    let request = ApiVersionsRequest::default();
    let answered = connection.ask(ApiKey::ApiVersions, 0, &request, SILENCE).await;
    answered
        .map(|_: ApiVersionsResponse| ())
        .map_err(|error| (error, began.elapsed()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::net::TcpListener;

    use super::super::dial::TcpDial;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_port_that_refuses_twice_in_a_row_is_evidence() {
        let mut signs = Signs::default();
        assert!(!signs.note(Sign::Refused, MS));
        assert!(!signs.note(Sign::Life, MS));
        assert!(!signs.note(Sign::Refused, MS));
        assert!(signs.note(Sign::Refused, MS));
    }

    #[test]
    fn silence_adds_up_until_somebody_is_heard() {
        let mut signs = Signs::default();
        assert!(!signs.note(Sign::Silence, 1500 * MS));
        assert!(!signs.note(Sign::Closed, MS));
        assert!(!signs.note(Sign::Silence, 1500 * MS));
        assert!(signs.note(Sign::Silence, 480 * MS));
    }

    #[test]
    fn who_has_slept_has_heard_no_silence() {
        let mut signs = Signs::default();
        assert!(!signs.note(Sign::Silence, SILENCE + OVERSLEPT + MS));
        assert!(signs.note(Sign::Silence, SILENCE), "awake it is evidence");
    }

    #[test]
    fn failures_on_this_side_are_no_evidence_however_many() {
        let of = |error: io::Error| {
            sort(&ConnectionError::Io {
                address: String::new(),
                error,
            })
        };
        // No file descriptor is left, for the process and for the system; no local port; no network.
        for errno in [
            rustix::io::Errno::MFILE,
            rustix::io::Errno::NFILE,
            rustix::io::Errno::ADDRNOTAVAIL,
            rustix::io::Errno::NETUNREACH,
        ] {
            assert_eq!(of(errno.into()), Sign::Nothing, "{errno}");
        }
        assert_eq!(of(io::Error::other("failed to lookup address")), Sign::Nothing);
        assert_eq!(of(rustix::io::Errno::CONNREFUSED.into()), Sign::Refused);
        assert_eq!(of(rustix::io::Errno::HOSTUNREACH.into()), Sign::Silence);
        let mut signs = Signs::default();
        assert!((0..1000).all(|_| !signs.note(Sign::Nothing, SILENCE)));
    }

    #[test]
    fn who_closes_again_and_again_is_not_asked_in_a_circle() {
        let mut signs = Signs::default();
        signs.note(Sign::Closed, MS);
        assert_eq!(signs.pause_after(Sign::Closed), AGAIN);
        signs.note(Sign::Closed, MS);
        assert_eq!(signs.pause_after(Sign::Closed), SIGN_OF_LIFE);
    }

    fn endpoint(listener: &TcpListener) -> Endpoint {
        Endpoint {
            listener_name: "INSIDE".to_owned(),
            security_protocol: "PLAINTEXT".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().expect("it is bound").port(),
        }
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_evidence_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = endpoint(&listener);
        drop(listener);
        let evidence = tokio::time::timeout(SILENCE, watch(7, &TcpDial, &endpoint)).await;
        assert!(evidence.is_ok(), "it takes two attempts");
    }

    #[tokio::test]
    async fn a_process_that_accepts_and_says_nothing_hangs() {
        // The kernel accepts for it.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let began = Instant::now();
        watch(7, &TcpDial, &endpoint(&listener)).await;
        assert!(began.elapsed() >= SILENCE, "not before");
    }
}
