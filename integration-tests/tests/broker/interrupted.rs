//! Signals that come while Sordini opens its logs, or a second time. About its own command line.

use integration_tests::child::{Child, await_some, bound_command, process_one_command};
use integration_tests::cluster::{Broker, Target, free_port, sordini_binary, sordini_command};
use integration_tests::temp_dir::TempDir;
use integration_tests::wire::Connection;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::Signal;
use std::fs;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// So many that a signal comes before they are all open.
const PARTITIONS: i32 = 400;
/// No batch begins so; recovery cuts it off.
const GARBAGE: &[u8] = b"garbage that a crash has left";

fn logs(broker: &Broker) -> Vec<PathBuf> {
    let path = |n| broker.log_dir().join(format!("held-{n}/00000000000000000000.log"));
    (0..PARTITIONS).map(path).collect()
}

/// How many logs have not been recovered.
fn untouched(broker: &Broker) -> usize {
    let is_untouched = |log: &PathBuf| fs::metadata(log).expect("a log").len() == GARBAGE.len() as u64;
    logs(broker).iter().filter(|log| is_untouched(log)).count()
}

fn command_on(broker: &Broker, mut command: Command, ready: &Path) -> Command {
    for (key, value) in [
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("log.dirs", &broker.log_dir().to_string_lossy()),
    ] {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    command.arg("--ready-file").arg(ready);
    command
}

/// Starts on the directory of a broker that was killed, and signals as soon as signals are noticed. What it said, and how many logs
/// it has not touched: none if the signal came too late.
fn interrupt(broker: &Broker, signal: Signal, process_one: bool) -> (String, usize) {
    for log in logs(broker) {
        fs::write(log, GARBAGE).expect("write");
    }
    let ready = broker.log_dir().with_file_name("stale");
    fs::write(&ready, "127.0.0.1:1\n").expect("write");
    let command = match process_one {
        true => process_one_command(sordini_binary()),
        false => bound_command(sordini_binary()),
    };
    let mut child = Child::start(command_on(broker, command, &ready));
    // The next thing after it has taken over the signals.
    await_some("the ready file of a broker that is gone is removed", LIMIT, || {
        assert!(child.ended().is_none(), "{}", child.stderr());
        (!ready.exists()).then_some(())
    });
    match process_one {
        true => child.signal_only_child(signal),
        false => child.signal(signal),
    }
    let status = child.wait(LIMIT).expect("it ends");
    let said = format!("{}{}", child.stdout(), child.stderr());
    assert!(status.success(), "{status}:\n{said}");
    assert!(!ready.exists(), "{said}");
    (said, untouched(broker))
}

#[test]
fn a_signal_ends_the_start_before_the_next_log() {
    let mut broker = Broker::start_target(Target::Sordini, &[]);
    Connection::open(broker.address())
        .expect("connect")
        .create_topic("held", PARTITIONS, &[]);
    broker.kill();
    for (signal, process_one) in [(Signal::TERM, false), (Signal::INT, false), (Signal::TERM, true)] {
        let mut tries = (0..20).map(|_| interrupt(&broker, signal, process_one));
        let (said, left) = tries
            .find(|(_, left)| *left > 0)
            .expect("interrupted in one of many tries");
        assert!(!said.contains("serves"), "{left} logs were left alone:\n{said}");
        let mark = broker.log_dir().join(".kafka_cleanshutdown");
        assert!(
            !mark.exists(),
            "{left} logs were left alone, and the directory is marked as clean"
        );
    }
    broker.restart();
    assert_eq!(untouched(&broker), 0, "the next start recovers them");
    let mut connection = Connection::open(broker.address()).expect("connect again");
    assert_eq!(connection.partitions("held"), PARTITIONS);
}

#[test]
fn a_ready_file_that_can_no_longer_be_written_ends_in_a_stop_in_order() {
    let mut broker = Broker::start_target(Target::Sordini, &[]);
    Connection::open(broker.address())
        .expect("connect")
        .create_topic("held", PARTITIONS, &[]);
    broker.stop();
    let (run, mark) = (
        broker.log_dir().with_file_name("run"),
        broker.log_dir().join(".kafka_cleanshutdown"),
    );
    let ready = run.join("ready");
    let too_late = (0..20).find_map(|_| {
        fs::create_dir(&run).expect("create");
        fs::write(&ready, "127.0.0.1:1\n").expect("write");
        let mut child = Child::start(command_on(&broker, bound_command(sordini_binary()), &ready));
        // It is tried out before the logs are opened; by the time that they are open its directory is gone.
        await_some("the ready file of a broker that is gone is removed", LIMIT, || {
            assert!(child.ended().is_none(), "{}", child.stderr());
            (!ready.exists() && !mark.exists()).then_some(())
        });
        await_some("nobody writes there", LIMIT, || fs::remove_dir_all(&run).ok());
        let ended = await_some("it serves or ends", LIMIT, || {
            let serves = child.stdout().contains("serves") && !child.stderr().contains("ready file");
            child.ended().map(Some).or(serves.then_some(None))
        });
        match ended {
            Some(status) => Some((status, child.stderr())),
            // The file was there before its directory went, or the failure is about to come.
            None => {
                child.signal(Signal::TERM);
                let status = child.wait(LIMIT).expect("stops");
                child.stderr().contains("ready file").then(|| (status, child.stderr()))
            }
        }
    });
    let (status, said) = too_late.expect("in one of many tries the directory went between");
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("writing the ready file"), "{said}");
    assert!(mark.exists(), "no mark of a clean stop:\n{said}");
}

/// A pipe that takes nothing more: whoever writes to it waits, as long as its other end is open and not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    fcntl_setfl(&writer, OFlags::NONBLOCK).expect("set a flag");
    for size in [4096, 1] {
        while writer.write(&[b'.'; 4096][..size]).is_ok() {}
    }
    fcntl_setfl(&writer, OFlags::empty()).expect("clear the flag");
    (reader, writer)
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_holds_it_up() {
    let home = TempDir::new("held-up");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (_unread, stdout) = full_pipe();
    let command = sordini_command(&[
        ("listeners".to_owned(), format!("PLAINTEXT://{address}")),
        ("log.dirs".to_owned(), home.path().join("data").display().to_string()),
    ]);
    let mut child = Child::start_with_stdout(command, stdout);
    await_some("clients are served", LIMIT, || {
        assert!(child.ended().is_none(), "{}", child.stderr());
        Connection::open(address).ok()?.api_versions().ok()
    });
    // From here on it waits for its stdout. Two signals at the same moment count as one.
    let status = await_some("a second signal ends it", LIMIT, || {
        child.signal(Signal::TERM);
        child.ended()
    });
    assert_eq!(status.code(), Some(128 + Signal::TERM.as_raw()), "{}", child.stderr());
    assert!(child.stderr().contains("SIGTERM again"), "{}", child.stderr());
}
