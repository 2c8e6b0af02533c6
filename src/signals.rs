//! SIGINT, SIGTERM and SIGHUP: the first asks for a stop in order, the next one ends the process at once.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Signals that come closer than this are one request: `timeout` and some supervisors signal the process and then its group, and
/// neither of them means to cut the stop short.
const ONE_REQUEST: Duration = Duration::from_millis(250);

/// What has come so far.
pub struct Signals {
    first: watch::Receiver<Option<&'static str>>,
}

impl Signals {
    /// Takes the signals over for the rest of the process's life; as process 1 they would otherwise have no effect at all. SIGHUP,
    /// which a terminal sends as it closes, stays ignored where it was (`nohup`), as in Java. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the operating system does not let it.
    pub fn take_over() -> anyhow::Result<Self> {
        let mut incoming = Incoming {
            interrupt: signal(SignalKind::interrupt()).context("waiting for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("waiting for SIGTERM")?,
            hangup: match hangup_is_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup()).context("waiting for SIGHUP")?),
            },
        };
        let (tell, first) = watch::channel(None);
        tokio::spawn(async move {
            let (name, _) = incoming.next().await;
            let at = Instant::now();
            tell.send_replace(Some(name));
            loop {
                let (name, kind) = incoming.next().await;
                if at.elapsed() >= ONE_REQUEST {
                    end_at_once(name, kind);
                }
            }
        });
        Ok(Self { first })
    }

    /// The first signal, if one has come.
    pub fn received(&self) -> Option<&'static str> {
        *self.first.borrow()
    }

    /// Resolves when a signal has come, and stays so.
    pub async fn first(&mut self) -> &'static str {
        match self.first.wait_for(Option::is_some).await {
            Ok(name) => name.unwrap_or_default(),
            // Whoever tells ends with the runtime only.
            Err(_) => std::future::pending().await,
        }
    }
}

struct Incoming {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Incoming {
    async fn next(&mut self) -> (&'static str, SignalKind) {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
            _ = hangup => ("SIGHUP", SignalKind::hangup()),
        }
    }
}

/// Whether the process began with SIGHUP ignored. Linux tells it without a call of libc.
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SignalKind::hangup()))
}

/// Whether a process with this `/proc/<pid>/status` ignores a signal: `SigIgn` is a set of bits, the lowest for signal 1.
fn ignores(status: &str, kind: SignalKind) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// Whoever asks twice does not want to wait: what is not written is recovered by the next start.
fn end_at_once(name: &str, kind: SignalKind) {
    log::warn!("{name} again: ending at once; the next start recovers the logs");
    log::logger().flush();
    // As a shell says it of a program that a signal has ended.
    std::process::exit(128 + kind.as_raw_value());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_status() {
        let status = |set: &str| format!("Name:\tsordini\nSigBlk:\tffffffffffffffff\nSigIgn:\t{set}\nSigCgt:\t0\n");
        assert!(ignores(&status("0000000000001001"), SignalKind::hangup()));
        assert!(!ignores(&status("0000000000001000"), SignalKind::hangup()));
        assert!(!ignores("", SignalKind::hangup()));
    }
}
