//! The two brokers as processes: Apache Kafka from its jars with its own scripts' flags, and Sordini.

use crate::kernel::end_with_parent;
use crate::wire::Connection;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Kafka,
    Sordini,
}

impl Kind {
    pub const BOTH: [Kind; 2] = [Kind::Kafka, Kind::Sordini];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kafka => "kafka",
            Kind::Sordini => "sordini",
        }
    }
}

/// What is needed to start brokers.
pub struct Installation {
    /// Class path of Apache Kafka with its tools.
    pub kafka_classpath: String,
    /// The release binary.
    pub sordini: PathBuf,
    /// Data, configuration and logs of every broker go below it.
    pub directory: PathBuf,
}

/// Time from the start of the process to its first answers.
#[derive(Clone, Copy, Debug)]
pub struct StartTimes {
    pub api_versions: Duration,
    pub metadata: Duration,
}

pub struct Broker {
    pub address: SocketAddr,
    pub start_times: StartTimes,
    child: Child,
    home: PathBuf,
}

/// A broker that does not serve by then never will.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const DELETE_TIMEOUT: Duration = Duration::from_secs(120);

/// `kafka-run-class.sh` and `kafka-server-start.sh` of 3.9 on Java 9 and newer, in their order.
const KAFKA_FLAGS: [&str; 11] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
    "-Dcom.sun.management.jmxremote=true",
    "-Dcom.sun.management.jmxremote.authenticate=false",
];

/// What both brokers are told besides their addresses and directories. Replication factors are those of a single
/// node; deleted logs vanish soon, and groups do not wait for members, so that rounds stay short.
const SHARED_PROPERTIES: &str = "\
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.segment.delete.delay.ms=200
auto.create.topics.enable=false
";

/// `config/kraft/server.properties` of 3.9: what it sets and a single loopback node needs;
/// and deletions start with the broker, not half a minute later.
const KAFKA_PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
num.recovery.threads.per.data.dir=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.initial.task.delay.ms=500
";

/// One file instead of the seven of `config/log4j.properties`, at the same levels for what a produce or fetch passes.
const KAFKA_LOGGING: &str = "\
log4j.rootLogger=INFO, file
log4j.appender.file=org.apache.log4j.FileAppender
log4j.appender.file.File=${kafka.logs.dir}/server.log
log4j.appender.file.layout=org.apache.log4j.PatternLayout
log4j.appender.file.layout.ConversionPattern=[%d] %p %m (%c)%n
log4j.logger.kafka.request.logger=WARN
log4j.logger.kafka.network.RequestChannel$=WARN
";

impl Broker {
    /// Starts a broker with an empty data directory named `name` and waits until it answers Metadata.
    pub fn start(kind: Kind, installation: &Installation, name: &str) -> Result<Broker> {
        let home = installation.directory.join(format!("{}-{name}", kind.name()));
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(home.join("data"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = match kind {
            Kind::Kafka => kafka_command(installation, &home, address)?,
            Kind::Sordini => sordini_command(installation, &home, address)?,
        };
        let output = File::create(home.join("output"))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        end_with_parent(&mut command);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", kind.name()))?;
        let start_times = StartTimes {
            api_versions: Duration::ZERO,
            metadata: Duration::ZERO,
        };
        let mut broker = Broker {
            address,
            start_times,
            child,
            home,
        };
        broker.start_times = broker.await_first_answers(started)?;
        Ok(broker)
    }

    fn await_first_answers(&mut self, started: Instant) -> Result<StartTimes> {
        let mut api_versions = None;
        loop {
            let answered = Connection::open(self.address).and_then(|mut connection| {
                connection.api_versions()?;
                api_versions.get_or_insert_with(|| started.elapsed());
                connection.metadata()
            });
            if let (Ok(()), Some(api_versions)) = (&answered, api_versions) {
                return Ok(StartTimes {
                    api_versions,
                    metadata: started.elapsed(),
                });
            }
            let output = self.home.join("output");
            ensure!(
                self.child.try_wait()?.is_none(),
                "the broker ended; see {}",
                output.display()
            );
            if started.elapsed() > START_TIMEOUT {
                bail!(
                    "the broker does not serve ({:?}); see {}",
                    answered.err(),
                    output.display()
                );
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until no log of the deleted `topic` is left, so that its removal is not charged to the next load.
    pub fn await_deletion(&self, topic: &str) -> Result<()> {
        let deadline = Instant::now() + DELETE_TIMEOUT;
        let prefix = format!("{topic}-");
        loop {
            let mut entries = fs::read_dir(self.home.join("data"))?;
            if !entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the log of {topic} is still in {}",
                self.home.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the broker cleanly and removes what it wrote.
    pub fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            ensure!(
                Instant::now() < deadline,
                "the broker did not stop; see {}",
                self.home.display()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_dir_all(&self.home)?;
        Ok(())
    }
}

impl Drop for Broker {
    /// A broker that was not stopped (some load failed) must not outlive the run; its directory stays for a look.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

fn sordini_command(installation: &Installation, home: &Path, address: SocketAddr) -> Result<Command> {
    let data = home.join("data");
    let properties = home.join("server.properties");
    fs::write(
        &properties,
        format!(
            "{SHARED_PROPERTIES}listeners=PLAINTEXT://{address}\nlog.dirs={}\n",
            data.display()
        ),
    )?;
    let mut command = Command::new(&installation.sordini);
    command.arg("--config").arg(properties);
    Ok(command)
}

fn kafka_command(installation: &Installation, home: &Path, address: SocketAddr) -> Result<Command> {
    let controller = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let (properties, logging) = (home.join("server.properties"), home.join("log4j.properties"));
    let data = home.join("data");
    fs::write(
        &properties,
        format!(
            "{KAFKA_PROPERTIES}{SHARED_PROPERTIES}listeners=PLAINTEXT://{address},CONTROLLER://{controller}\n\
             advertised.listeners=PLAINTEXT://{address}\ncontroller.quorum.voters=1@{controller}\nlog.dirs={}\n",
            data.display()
        ),
    )?;
    fs::write(&logging, KAFKA_LOGGING)?;
    let java = || {
        let mut java = Command::new("java");
        java.arg(format!("-Dkafka.logs.dir={}", home.display()));
        java.arg(format!("-Dlog4j.configuration=file:{}", logging.display()));
        java.arg("-cp").arg(&installation.kafka_classpath);
        java
    };
    let formatted = java()
        .args([
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            "c29yZGluaS1iZW5jaC0wMQ",
            "--config",
        ])
        .arg(&properties)
        .output()?;
    ensure!(
        formatted.status.success(),
        "Kafka's format failed: {}",
        String::from_utf8_lossy(&formatted.stderr)
    );

    let mut command = java();
    command
        .args(KAFKA_FLAGS)
        .arg("-Dcom.sun.management.jmxremote.ssl=false");
    command.arg(format!(
        "-Xlog:gc*:file={}:time,tags:filecount=10,filesize=100M",
        home.join("kafkaServer-gc.log").display()
    ));
    command.arg("kafka.Kafka").arg(properties);
    Ok(command)
}

/// A port that is free now; the broker binds it a moment later.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
