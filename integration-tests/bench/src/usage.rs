//! Processor time and memory of the broker and of the load generator.

use crate::kernel::cpu_time;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Processor time of this process's children that have ended (clients run as processes of their own).
fn ended_children_cpu_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").context("/proc/self/stat has another shape")?.1;
    let ticks: u64 = after_name
        .split(' ')
        .skip(13)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    Ok(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}

/// What a load cost while it was measured.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub wall: Duration,
    pub broker: Duration,
    pub generator: Duration,
}

/// Started after a load's warm-up, stopped at its last answer.
pub struct Meter {
    broker_pid: u32,
    started: Instant,
    broker: Duration,
    generator: Duration,
}

impl Meter {
    pub fn start(broker_pid: u32) -> Result<Self> {
        let (broker, generator) = (cpu_time(broker_pid)?, Self::generator()?);
        Ok(Meter {
            broker_pid,
            started: Instant::now(),
            broker,
            generator,
        })
    }

    pub fn stop(self) -> Result<Usage> {
        let wall = self.started.elapsed();
        let broker = cpu_time(self.broker_pid)? - self.broker;
        Ok(Usage {
            wall,
            broker,
            generator: Self::generator()? - self.generator,
        })
    }

    fn generator() -> Result<Duration> {
        Ok(cpu_time(std::process::id())? + ended_children_cpu_time()?)
    }
}

/// Resident memory in bytes: anonymous, and mapped pages of files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resident {
    pub anonymous: u64,
    pub file: u64,
}

pub fn resident(pid: u32) -> Result<Resident> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.parse::<u64>().ok());
        kib.map(|kib| kib * 1024)
            .with_context(|| format!("/proc/{pid}/status says no {name}"))
    };
    Ok(Resident {
        anonymous: bytes("RssAnon:")?,
        file: bytes("RssFile:")? + bytes("RssShmem:")?,
    })
}

/// Looks at a process's memory ten times a second and keeps the largest figures.
pub struct PeakWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Resident>>,
}

impl PeakWatch {
    pub fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut peak = Resident::default();
            loop {
                let now = resident(pid)?;
                peak = Resident {
                    anonymous: peak.anonymous.max(now.anonymous),
                    file: peak.file.max(now.file),
                };
                if stopped.load(Ordering::Relaxed) {
                    return Ok(peak);
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        PeakWatch { stop, thread }
    }

    pub fn finish(self) -> Result<Resident> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().expect("the memory watch does not panic")
    }
}
