//! SIGINT and SIGTERM: the first asks for a stop in order, the next one ends the process at once.

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
    /// Takes both signals over for the rest of the process's life; as process 1 they would otherwise have no effect at all. Must
    /// be called inside a runtime.
    ///
    /// # Errors
    /// When the operating system does not let it.
    pub fn take_over() -> anyhow::Result<Self> {
        let mut incoming = Incoming {
            interrupt: signal(SignalKind::interrupt()).context("waiting for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("waiting for SIGTERM")?,
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
}

impl Incoming {
    async fn next(&mut self) -> (&'static str, SignalKind) {
        tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
        }
    }
}

/// Whoever asks twice does not want to wait: what is not written is recovered by the next start.
fn end_at_once(name: &str, kind: SignalKind) {
    log::warn!("{name} again: ending at once; the next start recovers the logs");
    log::logger().flush();
    // As a shell says it of a program that a signal has ended.
    std::process::exit(128 + kind.as_raw_value());
}
