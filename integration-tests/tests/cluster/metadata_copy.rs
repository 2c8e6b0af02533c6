//! `sordini metadata export` and `import`: a broker that has stood alone goes to ZooKeeper and back with all that it has.

use std::time::Duration;

use integration_tests::batch::Batch;
use integration_tests::child::{Child, Finished, await_some, bound_command, run};
use integration_tests::cluster::{await_ready_file, sordini_binary, sordini_command};
use integration_tests::temp_dir::TempDir;
use integration_tests::wire::Connection;
use integration_tests::zookeeper::ZooKeeper;
use rustix::process::Signal;

use crate::tree::Tree;

const LIMIT: Duration = Duration::from_secs(60);

/// One broker's directory, on which it runs now with and now without ZooKeeper.
struct Home {
    dir: TempDir,
    connect: String,
}

impl Home {
    fn overrides(&self, with_zookeeper: bool) -> Vec<(String, String)> {
        let mut all = vec![
            ("listeners".to_owned(), "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("log.dirs".to_owned(), self.data().display().to_string()),
            ("offsets.topic.num.partitions".to_owned(), "2".to_owned()),
        ];
        if with_zookeeper {
            all.push(("zookeeper.connect".to_owned(), self.connect.clone()));
        }
        all
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// A broker that runs until it is stopped, and a connection to it.
    fn start(&self, with_zookeeper: bool) -> (Child, Connection) {
        let ready = self.dir.path().join("ready");
        let mut command = sordini_command(&self.overrides(with_zookeeper));
        command.arg("--ready-file").arg(&ready);
        let mut child = Child::start(command);
        let address = await_ready_file(&mut child, &ready);
        (child, Connection::open(address).expect("connect"))
    }

    fn cluster_id(&self) -> String {
        let properties = std::fs::read_to_string(self.data().join("meta.properties")).expect("meta.properties");
        let id = properties.lines().find_map(|line| line.strip_prefix("cluster.id="));
        id.expect("a cluster id").to_owned()
    }

    fn copy(&self, direction: &str) -> Finished {
        let mut command = bound_command(sordini_binary());
        command.args(["metadata", direction]);
        for (key, value) in self.overrides(true) {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        run(command, LIMIT)
    }

    #[track_caller]
    fn refused(&self, direction: &str) -> String {
        let finished = self.copy(direction);
        assert_eq!(
            finished.status.and_then(|status| status.code()),
            Some(1),
            "{}",
            finished.stderr
        );
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
        finished.stderr
    }
}

fn stop(child: &mut Child) {
    child.signal(Signal::TERM);
    let status = child.wait(LIMIT).expect("it stops");
    assert!(status.success(), "{status}: {}", child.stderr());
}

fn write(connection: &mut Connection, count: i32) {
    let batch = Batch::of(count, 1_700_000_000_000).bytes();
    let produced = connection.produce("t", 0, -1, &batch).expect("answered");
    assert_eq!(produced.error, 0);
}

fn commit(connection: &mut Connection, offset: i64) {
    // The offsets topic is made by the first who asks, and led a moment later.
    await_some("the group has a coordinator", LIMIT, || {
        connection.commit_offset("g", "t", 0, offset);
        (connection.committed_offset("g", "t", 0) == offset).then_some(())
    });
}

#[test]
fn metadata_go_to_zookeeper_and_back() {
    let server = ZooKeeper::start();
    let home = Home {
        dir: TempDir::new("metadata"),
        connect: format!("{}/cluster", server.connect()),
    };
    let refused = home.refused("export");
    assert!(
        refused.contains("sordini.metadata is not there: nothing to copy"),
        "{refused}"
    );

    let (mut broker, mut connection) = home.start(false);
    connection.create_topic("t", 3, &[("retention.ms", "-1")]);
    write(&mut connection, 3);
    commit(&mut connection, 2);
    let id = connection.brokers()[0].0;
    let refused = home.refused("export");
    assert!(refused.contains("another process"), "{refused}");
    stop(&mut broker);

    // Without its metadata it would know nothing of its logs.
    let refused = run(sordini_command(&home.overrides(true)), LIMIT);
    assert!(
        refused.stderr.contains("copy them with sordini metadata export"),
        "{}",
        refused.stderr
    );

    // An earlier attempt has come half way, and since then the broker has deleted a topic.
    let tree = Tree::open(&home.connect);
    for path in [
        "/brokers",
        "/brokers/topics",
        "/brokers/topics/gone",
        "/config",
        "/config/topics",
        "/config/topics/gone",
    ] {
        tree.create(path, "");
    }
    tree.create("/application", "of somebody else");
    let refused = home.refused("export");
    assert!(
        refused.contains("there are 1 topics already, of a cluster without an id"),
        "{refused}"
    );
    tree.create("/sordini.copy", "of-another-cluster");
    let refused = home.refused("export");
    assert!(
        refused.contains("of cluster of-another-cluster are half copied"),
        "{refused}"
    );
    tree.set("/sordini.copy", &home.cluster_id());
    let said = home.copy("export").expect_success("sordini metadata export");
    assert!(said.starts_with("copied the metadata of cluster "), "{said}");
    assert!(said.contains(", 2 topics in "), "{said}");
    assert!(!tree.exists("/brokers/topics/gone") && !tree.exists("/config/topics/gone"));
    assert!(tree.exists("/application") && !tree.exists("/sordini.copy"));

    // The file is put aside, and nothing is replaced by it.
    let refused = home.refused("export");
    assert!(refused.contains("sordini.metadata is not there"), "{refused}");
    let refused = run(sordini_command(&home.overrides(false)), LIMIT);
    assert_eq!(
        refused.status.and_then(|status| status.code()),
        Some(1),
        "{}",
        refused.stderr
    );
    let (file, aside) = (
        home.data().join("sordini.metadata"),
        home.data().join("sordini.metadata.exported"),
    );
    std::fs::copy(&aside, &file).expect("a copy");
    let refused = home.refused("export");
    assert!(refused.contains("already, with 2 topics"), "{refused}");
    std::fs::remove_file(&file).expect("removed");

    let (mut broker, mut connection) = home.start(true);
    assert_eq!(connection.brokers()[0].0, id);
    assert_eq!(connection.read_all("t", 0).len(), 3);
    assert_eq!(connection.committed_offset("g", "t", 0), 2);
    write(&mut connection, 4);
    connection.create_topic("u", 1, &[]);
    commit(&mut connection, 7);
    assert_eq!(tree.json("/config/topics/t")["config"]["retention.ms"], "-1");
    assert_eq!(
        tree.stat("/brokers/seqid").version,
        1,
        "the next broker gets another id"
    );
    let refused = home.refused("import");
    assert!(
        refused.contains("another broker uses this metadata.log.dir"),
        "{refused}"
    );
    stop(&mut broker);
    tree.create_ephemeral(&format!("/brokers/ids/{id}"));
    let refused = home.refused("import");
    assert!(refused.contains(&format!("brokers are registered ({id})")), "{refused}");
    tree.delete(&format!("/brokers/ids/{id}"));

    let said = home.copy("import").expect_success("sordini metadata import");
    assert!(said.contains(", 3 topics in "), "{said}");
    let refused = home.refused("import");
    assert!(refused.contains("is there already"), "{refused}");
    let (mut broker, mut connection) = home.start(false);
    assert_eq!(connection.read_all("t", 0).len(), 7);
    assert_eq!(connection.committed_offset("g", "t", 0), 7);
    assert_eq!(connection.partitions("u"), 1);
    stop(&mut broker);
}

#[test]
fn a_broker_does_not_start_where_its_cluster_is_not() {
    let server = ZooKeeper::start();
    let mut home = Home {
        dir: TempDir::new("metadata"),
        connect: format!("{}/kafka", server.connect()),
    };
    let (mut broker, mut connection) = home.start(true);
    connection.create_topic("t", 1, &[]);
    stop(&mut broker);
    home.connect = format!("{}/kafak", server.connect());
    let refused = run(sordini_command(&home.overrides(true)), LIMIT);
    assert!(
        refused.stderr.contains("there is no cluster at zookeeper.connect"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    assert!(!Tree::open(&home.connect).exists("/cluster/id"));
}
