//! Apache ZooKeeper from the jars that Apache Kafka brings along.

use crate::child::{Child, Finished, await_some, run};
use crate::cluster::free_port;
use crate::temp_dir::TempDir;
use crate::tools::{TOOL_LIMIT, java};
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// The Kafka whose class path has ZooKeeper 3.8.4.
const KAFKA: &str = "3.9.1";
const START_LIMIT: Duration = Duration::from_secs(60);

/// One ZooKeeper server that stands alone; killed at drop.
#[derive(Debug)]
pub struct ZooKeeper {
    home: TempDir,
    port: u16,
    child: Child,
}

impl ZooKeeper {
    /// Starts a server with an empty tree.
    pub fn start() -> ZooKeeper {
        let home = TempDir::new("zookeeper");
        let port = free_port();
        let properties = format!(
            "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=500\nminSessionTimeout=1000\n\
             maxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            home.path().join("data").display()
        );
        fs::write(home.path().join("zookeeper.properties"), properties).expect("write zookeeper.properties");
        let child = launch(&home, port);
        ZooKeeper { home, port, child }
    }

    /// Starts it again on the same tree and port after [`ZooKeeper::kill`].
    pub fn restart(&mut self) {
        assert!(self.child.ended().is_some(), "restart of a server that still runs");
        self.child = launch(&self.home, self.port);
    }

    /// What `zookeeper.connect` says.
    pub fn connect(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once with SIGKILL.
    pub fn kill(&mut self) {
        self.child.signal(Signal::KILL);
        self.child.end();
    }

    /// Stops it from doing anything until [`ZooKeeper::resume`].
    pub fn pause(&mut self) {
        self.child.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        self.child.signal(Signal::CONT);
    }

    /// Whether the server has a session with this number. Asks until it answers.
    pub fn has_session(&self, number: i64) -> bool {
        let listed = await_some("ZooKeeper tells its sessions", START_LIMIT, || {
            ask(self.port, "dump").filter(|text| text.contains("essions"))
        });
        listed.contains(&format!("{number:#x}"))
    }

    /// Runs one command of ZooKeeper's own shell.
    pub fn shell(&self, words: &[&str]) -> Finished {
        let mut command = java(KAFKA, "org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka");
        command.args(["-server", &self.connect()]).args(words);
        run(command, TOOL_LIMIT)
    }
}

fn launch(home: &TempDir, port: u16) -> Child {
    let mut command = java(KAFKA, "org.apache.zookeeper.server.quorum.QuorumPeerMain");
    command.arg(home.path().join("zookeeper.properties"));
    let mut child = Child::start(command);
    await_some("ZooKeeper answers", START_LIMIT, || {
        if let Some(status) = child.ended() {
            panic!("ZooKeeper ended with {status}:\n{}{}", child.stdout(), child.stderr());
        }
        (ask(port, "ruok")? == "imok").then_some(())
    });
    child
}

/// A four-letter word and its answer.
fn ask(port: u16, word: &str) -> Option<String> {
    let mut socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    socket.write_all(word.as_bytes()).ok()?;
    socket.shutdown(Shutdown::Write).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    Some(answer)
}
