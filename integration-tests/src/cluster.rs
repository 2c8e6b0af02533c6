//! Brokers that a test starts: Sordini, or Apache Kafka from its jars to prove the test itself.

use crate::child::{Child, await_some, bound_command, run};
use crate::temp_dir::TempDir;
use crate::tools;
use crate::wire::Connection;
use rustix::process::Signal;
use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

const START_LIMIT: Duration = Duration::from_secs(90);
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// A port is let go before Kafka binds it: another program may have it by then.
const PORT_ATTEMPTS: u32 = 4;

/// What the tests run against, by the environment variable `TARGET`: absent or `sordini`, or `kafka-VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The binary of this workspace.
    Sordini,
    /// Apache Kafka of this version, one KRaft node.
    Kafka(String),
}

impl Target {
    /// The target that the environment asks for.
    pub fn from_env() -> Target {
        match env::var("TARGET") {
            Err(_) => Target::Sordini,
            Ok(name) if name == "sordini" => Target::Sordini,
            Ok(name) => match name.strip_prefix("kafka-") {
                Some(version) => Target::Kafka(version.to_owned()),
                None => panic!("TARGET={name}: neither sordini nor kafka-VERSION"),
            },
        }
    }

    /// Whether this is Sordini.
    pub fn is_sordini(&self) -> bool {
        *self == Target::Sordini
    }
}

/// A broker under test; killed at drop.
#[derive(Debug)]
pub struct Broker {
    target: Target,
    overrides: Vec<(String, String)>,
    home: TempDir,
    address: SocketAddr,
    child: Child,
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the repository")
}

/// The binary under test: `SORDINI_BIN`, or the one that belongs to this build, built now if need be.
pub fn sordini_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = env::var_os("SORDINI_BIN") {
            return PathBuf::from(given);
        }
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(repository())
            .args(["build", "--quiet", "--package", "sordini", "--bin", "sordini"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        run(build, Duration::from_secs(1200)).expect_success("cargo build of the broker");
        let test = env::current_exe().expect("a test knows its own path");
        let profile = test
            .parent()
            .and_then(Path::parent)
            .expect("tests lie in target/PROFILE/deps");
        profile.join("sordini")
    })
}

/// A broker with default configuration for a test that only speaks to it: a fresh Sordini for each, but one Kafka for all
/// (it takes seconds to start), so names of topics and groups must be the test's own.
pub fn broker_for_clients() -> Arc<Broker> {
    static KAFKA: Mutex<Option<Arc<Broker>>> = Mutex::new(None);
    if Target::from_env().is_sordini() {
        return Arc::new(Broker::start());
    }
    let mut shared = KAFKA.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // A long session, so that a broker that got no processor for a while is not fenced. Only here, where none is killed: Kafka
    // 3.9 registers no successor before the session of the killed one has ended.
    let session = [("broker.session.timeout.ms", "120000")];
    shared
        .get_or_insert_with(|| Arc::new(Broker::start_with(&session)))
        .clone()
}

impl Broker {
    /// Starts the target with its defaults.
    pub fn start() -> Broker {
        Broker::start_with(&[])
    }

    /// Starts the target with these configuration keys on top.
    pub fn start_with(overrides: &[(&str, &str)]) -> Broker {
        Broker::start_target(Target::from_env(), overrides)
    }

    /// Starts `target` with these configuration keys on top.
    pub fn start_target(target: Target, overrides: &[(&str, &str)]) -> Broker {
        let overrides: Vec<_> = overrides
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let home = TempDir::new("broker");
        let (child, address) = match &target {
            Target::Sordini => start_sordini(&home, &overrides, 0),
            Target::Kafka(version) => start_new_kafka(version, &home, &overrides),
        };
        Broker {
            target,
            overrides,
            home,
            address,
            child,
        }
    }

    /// Starts it again on the same directory and port after [`Broker::stop`] or [`Broker::kill`].
    pub fn restart(&mut self) {
        assert!(self.child.ended().is_some(), "restart of a broker that still runs");
        let port = self.address.port();
        let (child, address) = match &self.target {
            Target::Sordini => start_sordini(&self.home, &self.overrides, port),
            Target::Kafka(version) => start_kafka(version, &self.home, port).unwrap_or_else(|said| panic!("{said}")),
        };
        self.child = child;
        self.address = address;
    }

    /// What it is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The one directory of `log.dirs`.
    pub fn log_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// What it has logged since it was last started.
    pub fn log(&self) -> String {
        format!("{}{}", self.child.stdout(), self.child.stderr())
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.ended().is_none()
    }

    /// Asks it to stop with SIGTERM, waits for the end, and expects that all went well.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.stop_by(Signal::TERM);
        // A JVM ends with the signal's number in its status, whatever its own code thinks.
        let expected = if self.target.is_sordini() {
            0
        } else {
            128 + Signal::TERM.as_raw()
        };
        assert_eq!(
            status.code(),
            Some(expected),
            "{status}; the broker said:\n{}",
            self.log()
        );
    }

    /// Asks it to stop with `signal` and waits for the end.
    #[track_caller]
    pub fn stop_by(&mut self, signal: Signal) -> ExitStatus {
        self.child.signal(signal);
        let status = self.child.wait(STOP_LIMIT);
        status.unwrap_or_else(|| panic!("did not stop within {STOP_LIMIT:?}:\n{}", self.log()))
    }

    /// Sends it a signal, and does not wait for anything.
    pub fn signal(&mut self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Ends it at once with SIGKILL.
    pub fn kill(&mut self) {
        self.child.signal(Signal::KILL);
        self.child.end();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("last lines of the broker at {}:\n{tail}", self.address);
        }
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind to a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// The command that starts Sordini with these configuration keys and nothing else.
pub fn sordini_command(overrides: &[(String, String)]) -> Command {
    let mut command = bound_command(sordini_binary());
    for (key, value) in overrides {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    command
}

fn start_sordini(home: &TempDir, overrides: &[(String, String)], port: u16) -> (Child, SocketAddr) {
    let ready = home.path().join("ready");
    // The broker removes what a killed one has left, but perhaps after the first look at it.
    if ready.exists() {
        fs::remove_file(&ready).expect("remove the last run's ready file");
    }
    let mut all = vec![
        ("listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{port}")),
        ("log.dirs".to_owned(), home.path().join("data").display().to_string()),
        ("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned()),
    ];
    all.extend(overrides.iter().cloned());
    let mut command = sordini_command(&all);
    command.arg("--ready-file").arg(&ready);
    let mut child = Child::start(command);
    let address = await_ready_file(&mut child, &ready);
    (child, address)
}

/// Waits until the broker has written its address to `ready`; panics with its log when it ends instead.
pub fn await_ready_file(child: &mut Child, ready: &Path) -> SocketAddr {
    await_some("the broker is ready", START_LIMIT, || {
        if let Some(status) = child.ended() {
            panic!("the broker ended with {status}:\n{}{}", child.stdout(), child.stderr());
        }
        let text = fs::read_to_string(ready).ok()?;
        let first = text.split_whitespace().next()?;
        let address = first.rsplit("://").next()?.parse();
        Some(address.unwrap_or_else(|error| panic!("ready file holds {text:?}: {error}")))
    })
}

fn start_new_kafka(version: &str, home: &TempDir, overrides: &[(String, String)]) -> (Child, SocketAddr) {
    let mut left = PORT_ATTEMPTS;
    loop {
        let port = free_port();
        format_kafka(version, home, overrides, port);
        left -= 1;
        match start_kafka(version, home, port) {
            Ok(started) => return started,
            Err(said) => assert!(left > 0 && said.contains("Address already in use"), "{said}"),
        }
        // It is formatted anew.
        fs::remove_dir_all(home.path().join("data")).expect("remove the data of a Kafka without a port");
    }
}

fn format_kafka(version: &str, home: &TempDir, overrides: &[(String, String)], port: u16) {
    let controller = free_port();
    let data = home.path().join("data");
    let mut properties = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\ngroup.initial.rebalance.delay.ms=0\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n",
        data.display()
    );
    for (key, value) in overrides {
        properties.push_str(&format!("{key}={value}\n"));
    }
    let file = home.path().join("server.properties");
    fs::write(&file, properties).expect("write server.properties");
    let mut format = tools::java(version, "kafka.tools.StorageTool");
    format
        .args(["format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config"])
        .arg(&file);
    run(format, START_LIMIT).expect_success("kafka-storage format");
}

/// Gives what Kafka has said when it ends instead.
fn start_kafka(version: &str, home: &TempDir, port: u16) -> Result<(Child, SocketAddr), String> {
    let mut command = tools::java(version, "kafka.Kafka");
    command.arg(home.path().join("server.properties"));
    let mut child = Child::start(command);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let outcome = await_some("Kafka answers", START_LIMIT, || {
        if let Some(status) = child.ended() {
            let said = format!("Kafka ended with {status}:\n{}{}", child.stdout(), child.stderr());
            return Some(Err(said));
        }
        Connection::open(address).ok()?.api_versions().ok().map(|_| Ok(()))
    });
    outcome.map(|()| (child, address))
}
