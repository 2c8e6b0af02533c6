//! Programs that a test starts: each in a process group of its own, with a time limit, and ended at drop.

use crate::temp_dir::TempDir;
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(5);

/// A command for `program` that the kernel kills when this test process dies, however it dies.
pub fn bound_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    // SIGHUP is not ignored there, as `nohup` would have it for all that begins below it.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", "setpriv", "--pdeathsig", "KILL", "--"]);
    command.arg(program);
    command
}

/// A command for `program` as process 1 of a process namespace of its own. Root may make one; others get a user namespace with it.
pub fn process_one_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = bound_command("unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(program);
    command
}

/// A running program whose output goes to files.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    status: Option<ExitStatus>,
    output: TempDir,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Finished {
    /// `None` when it had to be killed because its time was up.
    pub status: Option<ExitStatus>,
    /// Everything it wrote to stdout.
    pub stdout: String,
    /// Everything it wrote to stderr.
    pub stderr: String,
}

impl Finished {
    /// Whether it ended by itself with status 0.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Panics with everything that the program said unless it ended with status 0; gives its stdout.
    #[track_caller]
    pub fn expect_success(self, what: &str) -> String {
        assert!(
            self.succeeded(),
            "{what} ended with {:?}\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.stdout
    }
}

impl Child {
    /// Starts `command` with nothing on its stdin.
    pub fn start(command: Command) -> Child {
        Child::start_with_input(command, b"")
    }

    /// Starts `command` with `input` on its stdin.
    pub fn start_with_input(command: Command, input: &[u8]) -> Child {
        Child::start_in(TempDir::new("output"), command, input, None)
    }

    /// Starts `command` with a stdout of the test's own.
    pub fn start_with_stdout(command: Command, stdout: impl Into<Stdio>) -> Child {
        Child::start_in(TempDir::new("output"), command, b"", Some(stdout.into()))
    }

    fn start_in(output: TempDir, mut command: Command, input: &[u8], stdout: Option<Stdio>) -> Child {
        let create = |name: &str| File::create(output.path().join(name)).expect("create an output file");
        create("stdin").write_all(input).expect("write a program's input");
        command.stdin(File::open(output.path().join("stdin")).expect("open a program's input"));
        let file = Stdio::from(create("stdout"));
        command
            .stdout(stdout.unwrap_or(file))
            .stderr(Stdio::from(create("stderr")));
        // What it leaves in the temporary directory goes with its output, also when it is killed.
        if command.get_envs().all(|(name, _)| name != "TMPDIR") {
            let own = output.path().join("tmp");
            fs::create_dir(&own).expect("create a temporary directory");
            command.env("TMPDIR", own);
        }
        command.process_group(0);
        let shown = format!("{command:?}");
        let inner = spawn(command).unwrap_or_else(|error| panic!("start {shown}: {error}"));
        Child {
            inner,
            status: None,
            output,
        }
    }

    /// The program's process id.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        read_lossy(&self.output.path().join("stdout"))
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        read_lossy(&self.output.path().join("stderr"))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.inner.try_wait().expect("ask for a program's status");
        }
        self.status
    }

    /// Sends it a signal; a program that has ended is left alone.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            kill_process(self.pid(), signal).expect("signal a program");
        }
    }

    /// Sends a signal to the one program that it has started: of [`process_one_command`] that is process 1.
    pub fn signal_only_child(&mut self, signal: Signal) {
        let file = format!("/proc/{0}/task/{0}/children", self.id());
        let children = fs::read_to_string(file).expect("a running program has a list of children");
        let child = children.trim().parse().ok().and_then(Pid::from_raw);
        let child = child.unwrap_or_else(|| panic!("not one child: {children:?}"));
        kill_process(child, signal).expect("signal a program's child");
    }

    /// Waits until it ends or `limit` has passed.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.status
    }

    /// Waits until it ends, kills it when `limit` has passed, and gives what it said.
    pub fn finish(mut self, limit: Duration) -> Finished {
        let status = self.wait(limit);
        self.end();
        Finished {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Kills it, with all that it started, and waits until it is gone.
    pub fn end(&mut self) {
        if self.ended().is_none() {
            if let Err(error) = kill_process_group(self.pid(), Signal::KILL) {
                eprintln!("kill process group {}: {error}", self.id());
            }
            self.status = Some(self.inner.wait().expect("wait for a killed program"));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.id().try_into().expect("a process id is positive")).expect("a process id is not 0")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs `command` to its end, or kills it after `limit`.
pub fn run(command: Command, limit: Duration) -> Finished {
    Child::start(command).finish(limit)
}

/// Polls `condition` until it gives something; panics with `what` after `limit`.
#[track_caller]
pub fn await_some<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        thread::sleep(POLL);
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("read a program's output")).into_owned()
}

type Started = io::Result<std::process::Child>;

/// The kernel's «kill me when my parent dies» means the *thread* that started the program, and a test's thread ends with
/// the test: so one thread that never ends starts them all.
fn spawn(command: Command) -> Started {
    static SPAWNER: OnceLock<Sender<(Command, Sender<Started>)>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<(Command, Sender<Started>)>();
        thread::spawn(move || {
            for (mut command, answer) in orders {
                answer
                    .send(command.spawn())
                    .expect("whoever orders a program awaits it");
            }
        });
        sender
    });
    let (answer, started) = channel();
    spawner.send((command, answer)).expect("the starting thread never ends");
    started.recv().expect("the starting thread answers")
}
