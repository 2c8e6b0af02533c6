//! The embedded store against ZooKeeper's rules: fixed cases, and random operations against a plain map – over clean
//! stops, and over crashes (a copy of the file taken while it is open is what a killed process leaves behind).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use controller::BoxFuture;
use controller::store::{ANY_VERSION, CreateMode, Op, OpResult, Store, StoreError};
use controller::store_embedded::{EmbeddedStore, FILE_NAME, OpenError};
use controller::testing::store_contract;
use proptest::prelude::*;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn open(directory: &Path) -> EmbeddedStore {
    EmbeddedStore::open(directory).expect("the store opens")
}

fn create(store: &EmbeddedStore, path: &str, mode: CreateMode) -> Result<String, StoreError> {
    wait(store.create(path, Bytes::from_static(b"x"), mode)).map(|(path, _)| path)
}

#[test]
fn children_are_those_one_level_down() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    for path in ["/a", "/a/b", "/a/b/c", "/a-b", "/a/d", "/b"] {
        create(&store, path, CreateMode::Persistent).expect("created");
    }
    let check = |store: &EmbeddedStore| {
        assert_eq!(wait(store.children("/")).expect("read"), ["a", "a-b", "b"]);
        assert_eq!(wait(store.children("/a")).expect("read"), ["b", "d"]);
        assert_eq!(wait(store.children("/a/d")).expect("read"), [""; 0]);
        assert_eq!(
            wait(store.children("/c")),
            Err(StoreError::NoNode { path: "/c".into() })
        );
    };
    check(&store);
    drop(store);
    check(&open(directory.path()));
}

#[test]
fn it_is_a_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || -> BoxFuture<'_, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::new(open(directory.path()));
        Box::pin(std::future::ready(store))
    };
    wait(store_contract::check(&open));
}

#[test]
fn a_transaction_has_one_zxid_and_one_that_failed_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    wait(store.multi(vec![Op::create("/a", "1"), Op::create("/a", "2")])).expect_err("it is there");
    let results = wait(store.multi(vec![Op::create("/a", "1"), Op::create("/a/b", "3")])).expect("all of it");
    let OpResult::Created { stat: Some(stat), .. } = &results[1] else {
        panic!("{results:?}")
    };
    assert_eq!(stat.czxid, 1);
}

#[test]
fn sequential_names_count_on_over_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    create(&store, "/changes", CreateMode::Persistent).expect("created");
    let next = |store: &EmbeddedStore| create(store, "/changes/change_", CreateMode::PersistentSequential);
    assert_eq!(next(&store).expect("created"), "/changes/change_0000000000");
    assert_eq!(next(&store).expect("created"), "/changes/change_0000000001");
    drop(store);
    assert_eq!(
        next(&open(directory.path())).expect("created"),
        "/changes/change_0000000002"
    );
}

#[test]
fn ephemerals_go_with_their_session() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    create(&store, "/ids", CreateMode::Persistent).expect("created");
    create(&store, "/ids/1", CreateMode::Ephemeral).expect("created");
    let first = wait(store.exists("/ids/1")).expect("read").expect("there");
    assert_eq!(first.ephemeral_owner, store.session_id());
    let below = StoreError::NoChildrenForEphemerals {
        path: "/ids/1/x".into(),
    };
    assert_eq!(create(&store, "/ids/1/x", CreateMode::Persistent), Err(below));
    let session = store.session_id();
    drop(store);
    let store = open(directory.path());
    assert!(store.session_id() > session);
    assert_eq!(
        wait(store.exists("/ids/1")),
        Ok(None),
        "after a process that just ended"
    );
    assert_eq!(
        wait(store.exists("/ids")).expect("read").expect("there").num_children,
        0
    );
    create(&store, "/ids/1", CreateMode::Ephemeral).expect("created");
    let second = wait(store.exists("/ids/1")).expect("read").expect("there");
    assert!(second.czxid > first.czxid, "zxids rise over restarts");
    wait(store.close()).expect("closed");
    assert_eq!(wait(store.get("/ids")), Err(StoreError::Closed));
    let store = open(directory.path());
    assert_eq!(
        wait(store.children("/ids")).expect("read"),
        [""; 0],
        "after a closed session"
    );
}

#[test]
fn files_that_cannot_be_used_are_refused_with_a_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(FILE_NAME);
    let refused = || EmbeddedStore::open(directory.path()).err().expect("refused");

    let store = open(directory.path());
    assert_eq!(refused(), OpenError::Locked { path: path.clone() });
    create(&store, "/a", CreateMode::Persistent).expect("created");
    drop(store);

    let good = std::fs::read(&path).expect("read");
    std::fs::write(
        &path,
        b"something else altogether, long enough to be taken for a header",
    )
    .expect("written");
    assert!(matches!(refused(), OpenError::Corrupted { .. }), "{}", refused());
    std::fs::write(&path, &good[..good.len() / 3]).expect("written");
    assert!(matches!(refused(), OpenError::Corrupted { .. }), "{}", refused());

    std::fs::write(&path, &good).expect("written");
    let database = redb::Database::open(&path).expect("opened");
    let transaction = database.begin_write().expect("begun");
    let numbers = redb::TableDefinition::<&str, u64>::new("numbers");
    transaction
        .open_table(numbers)
        .expect("opened")
        .insert("format_version", 2)
        .expect("set");
    transaction.commit().expect("committed");
    drop(database);
    assert_eq!(refused(), OpenError::NewerFormat { path, found: 2 });

    let missing = directory.path().join("missing");
    assert!(matches!(EmbeddedStore::open(&missing), Err(OpenError::Io { .. })));
}

#[test]
fn a_flipped_bit_is_found_or_does_no_harm() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path());
    let ops = (0..300).map(|number| Op::create(format!("/n{number}"), format!("data of {number}")));
    wait(store.multi(ops.collect())).expect("created");
    let expected = contents(&store);
    drop(store);
    let good = std::fs::read(directory.path().join(FILE_NAME)).expect("read");
    let damaged = tempfile::tempdir().expect("a directory");
    let mut found = 0;
    for place in (0..good.len()).step_by(9973) {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        std::fs::write(damaged.path().join(FILE_NAME), bytes).expect("written");
        match EmbeddedStore::open(damaged.path()) {
            Ok(store) => assert_eq!(contents(&store), expected, "byte {place}"),
            Err(OpenError::Corrupted { .. } | OpenError::NewerFormat { .. }) => found += 1,
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
    assert!(found > 0);
}

/// The tree as plainly as it can be put: what a model test compares with.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    /// Path to (data, version, cversion, ephemeral). Sequences count creations, which are half of changes and children together.
    nodes: BTreeMap<String, (Vec<u8>, i32, i32, bool)>,
}

fn parent(path: &str) -> String {
    let slash = path.rfind('/').expect("a path");
    if slash == 0 {
        "/".to_owned()
    } else {
        path[..slash].to_owned()
    }
}

impl Model {
    fn has_children(&self, path: &str) -> bool {
        self.nodes.keys().any(|other| other != "/" && parent(other) == path)
    }

    fn apply(&mut self, op: &Op) -> bool {
        let path = op.path().to_owned();
        let version_fits = |expected: i32, found: i32| expected == ANY_VERSION || expected == found;
        match op {
            Op::Create { data, mode, .. } => {
                let Some(&(_, _, counter, ephemeral)) = self.nodes.get(&parent(&path)) else {
                    return false;
                };
                let path = if mode.is_sequential() {
                    let children = self
                        .nodes
                        .keys()
                        .filter(|other| *other != "/" && parent(other) == parent(&path));
                    format!("{path}{:010}", (counter + children.count() as i32) / 2)
                } else {
                    path
                };
                if ephemeral || self.nodes.contains_key(&path) {
                    return false;
                }
                self.nodes
                    .insert(path.clone(), (data.to_vec(), 0, 0, mode.is_ephemeral()));
                self.nodes.get_mut(&parent(&path)).expect("just seen").2 += 1;
            }
            Op::Set { data, version, .. } => match self.nodes.get_mut(&path) {
                Some(node) if version_fits(*version, node.1) => (node.0, node.1) = (data.to_vec(), node.1 + 1),
                _ => return false,
            },
            Op::Delete { version, .. } => match self.nodes.get(&path) {
                Some(node) if version_fits(*version, node.1) && !self.has_children(&path) => {
                    self.nodes.remove(&path);
                    self.nodes.get_mut(&parent(&path)).expect("a parent").2 += 1;
                }
                _ => return false,
            },
            Op::Check { version, .. } => {
                return self.nodes.get(&path).is_some_and(|node| version_fits(*version, node.1));
            }
        }
        true
    }

    fn multi(&mut self, ops: &[Op]) -> bool {
        let before = self.clone();
        let all = ops.iter().all(|op| self.apply(op));
        if !all {
            *self = before;
        }
        all
    }

    fn end_session(&mut self) {
        let gone: Vec<String> = self
            .nodes
            .iter()
            .filter(|(_, node)| node.3)
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.apply(&Op::delete(path, ANY_VERSION));
        }
    }
}

fn contents(store: &EmbeddedStore) -> Model {
    let mut model = Model::default();
    let mut pending = vec!["/".to_owned()];
    while let Some(path) = pending.pop() {
        let (data, stat) = wait(store.get(&path)).expect("a child that was listed");
        let names = wait(store.children(&path)).expect("a znode that was read");
        assert_eq!(names.len() as i32, stat.num_children, "{path}");
        let below = |name: &String| {
            if path == "/" {
                format!("/{name}")
            } else {
                format!("{path}/{name}")
            }
        };
        pending.extend(names.iter().map(below));
        model.nodes.insert(
            path,
            (data.to_vec(), stat.version, stat.cversion, stat.ephemeral_owner != 0),
        );
    }
    model
}

#[derive(Debug, Clone)]
enum Step {
    Multi(Vec<Op>),
    /// Several at once, so that they share a commit.
    Together(Vec<Vec<Op>>),
    Reopen,
    Close,
    Crash,
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "a0"]), 1..4)
        .prop_map(|parts| format!("/{}", parts.join("/")))
}

fn op() -> impl Strategy<Value = Op> {
    let mode = prop::sample::select(vec![
        CreateMode::Persistent,
        CreateMode::Persistent,
        CreateMode::PersistentSequential,
        CreateMode::Ephemeral,
        CreateMode::EphemeralSequential,
    ]);
    let data = prop::collection::vec(any::<u8>(), 0..5).prop_map(Bytes::from);
    let version = prop::sample::select(vec![ANY_VERSION, ANY_VERSION, 0, 1]);
    prop_oneof![
        4 => (path(), data.clone(), mode).prop_map(|(path, data, mode)| Op::Create { path, data, mode }),
        2 => (path(), data, version.clone()).prop_map(|(path, data, version)| Op::Set { path, data, version }),
        2 => (path(), version.clone()).prop_map(|(path, version)| Op::Delete { path, version }),
        1 => (path(), version).prop_map(|(path, version)| Op::Check { path, version }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let multi = || prop::collection::vec(op(), 1..4);
    prop_oneof![
        12 => multi().prop_map(Step::Multi),
        3 => prop::collection::vec(multi(), 2..5).prop_map(Step::Together),
        1 => Just(Step::Reopen),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_operations_leave_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut crashed = Vec::new();
        let mut store = open(directory.path());
        let mut model = Model::default();
        model.nodes.insert("/".to_owned(), (Vec::new(), 0, 0, false));
        for step in steps {
            match step {
                Step::Multi(ops) => {
                    let done = wait(store.multi(ops.clone()));
                    prop_assert_eq!(done.is_ok(), model.multi(&ops), "{:?}: {:?}", ops, done);
                }
                Step::Together(multis) => {
                    let pending: Vec<_> = multis.iter().map(|ops| store.multi(ops.clone())).collect();
                    for (pending, ops) in pending.into_iter().zip(&multis) {
                        prop_assert_eq!(wait(pending).is_ok(), model.multi(ops), "{:?}", ops);
                    }
                }
                Step::Reopen => {
                    drop(store);
                    store = open(directory.path());
                    model.end_session();
                }
                Step::Close => {
                    wait(store.close()).expect("closed");
                    drop(store);
                    store = open(directory.path());
                    model.end_session();
                }
                Step::Crash => {
                    let copy = tempfile::tempdir().expect("a directory");
                    std::fs::copy(directory.path().join(FILE_NAME), copy.path().join(FILE_NAME)).expect("copied");
                    let survivor = open(copy.path());
                    let mut expected = model.clone();
                    expected.end_session();
                    prop_assert_eq!(contents(&survivor), expected);
                    crashed.push(copy);
                }
            }
            prop_assert_eq!(&contents(&store), &model);
        }
    }
}
