//! A ZooKeeper ensemble that is simulated: one tree, sessions that time out, and links to its clients that are cut and mended. Nothing
//! in it reads a clock of its own; what takes time takes it by tokio's, which a simulation owns.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::sessions::{OpenSession, SessionError};
use crate::store::{ANY_VERSION, BoxFuture, Op, OpResult, Stat, Store, StoreError, WatchEvent, Watcher, Znode};
use crate::store_zookeeper::ConnectError;
use crate::watches::Watches;
use crate::znode_tree::{Base, Key, Node, Tree};

/// How often whoever waits for a link looks for it.
const LOOK: Duration = Duration::from_millis(5);

/// The ensemble.
#[derive(Clone)]
pub struct Ensemble(Arc<Mutex<State>>);

/// One client: a process, or what comes in its place later. Opens sessions, and knows which ones it has had.
pub struct Client {
    ensemble: Ensemble,
    name: usize,
    session_timeout: Duration,
}

/// Nothing lies below what has been written.
struct Nothing;

impl Base for Nothing {
    fn node(&self, _: &Key) -> Result<Option<Node>, StoreError> {
        Ok(None)
    }

    fn keys(&self, _: &Key, _: &Key) -> Result<Vec<Key>, StoreError> {
        Ok(Vec::new())
    }
}

struct State {
    tree: Tree<Nothing>,
    now_ms: i64,
    /// Without a quorum nothing is answered, and no session times out.
    is_away: bool,
    links: Vec<Link>,
    sessions: BTreeMap<i64, Session>,
    random: u64,
}

/// Of one client.
struct Link {
    is_up: bool,
    /// Whether its process runs.
    is_alive: bool,
    /// How long calls and events take at most, besides what they take anyway.
    slow_ms: u64,
    had: Vec<i64>,
}

struct Session {
    client: usize,
    timeout_ms: i64,
    heard_ms: i64,
    watches: Watches,
    /// What the client was not told yet, and when it is told at the earliest.
    unheard: VecDeque<(i64, WatchEvent)>,
}

impl Default for Ensemble {
    fn default() -> Self {
        Ensemble::new(1)
    }
}

impl Ensemble {
    /// An empty one; `seed` decides how long calls take, and what becomes of those that a cut meets.
    pub fn new(seed: u64) -> Self {
        let mut tree = Tree::new(Nothing, 0, Default::default()).expect("nothing to read fails");
        // As in the first file of an embedded store.
        let root = Op::create("/zookeeper", Bytes::new());
        tree.multi(vec![root], 0, 0).expect("the root is there");
        Ensemble(Arc::new(Mutex::new(State {
            tree,
            now_ms: 0,
            is_away: false,
            links: Vec::new(),
            sessions: BTreeMap::new(),
            random: seed | 1,
        })))
    }

    /// A client whose sessions end when nothing was heard of it for this long.
    pub fn client(&self, session_timeout: Duration) -> Arc<Client> {
        let mut state = self.state();
        state.links.push(Link {
            is_up: true,
            is_alive: true,
            slow_ms: 0,
            had: Vec::new(),
        });
        Arc::new(Client {
            ensemble: self.clone(),
            name: state.links.len() - 1,
            session_timeout,
        })
    }

    /// It is this late now: sessions of which nothing was heard for too long are over.
    pub fn tell_time(&self, now_ms: i64) {
        let mut state = self.state();
        let passed = now_ms - state.now_ms;
        state.now_ms = now_ms;
        let mut over = Vec::new();
        let State {
            sessions,
            links,
            is_away,
            ..
        } = &mut *state;
        for (id, session) in sessions.iter_mut() {
            let link = &links[session.client];
            if *is_away {
                session.heard_ms += passed;
            } else if link.is_up && link.is_alive {
                session.heard_ms = now_ms;
            } else if now_ms - session.heard_ms > session.timeout_ms {
                over.push(*id);
            }
        }
        over.into_iter().for_each(|id| state.end(id));
        state.tell_unheard();
    }

    /// From now on there is no quorum, or there is one again.
    pub fn set_away(&self, is_away: bool) {
        let mut state = self.state();
        state.is_away = is_away;
        state.tell_unheard();
    }

    /// Data of a znode, as the ensemble has it, for checks.
    pub fn peek(&self, path: &str) -> Option<Bytes> {
        self.state().tree.get(path).ok().flatten().map(|node| node.data)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A number below `below`, which is not 0.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn is_reached(&self, client: usize) -> bool {
        !self.is_away && self.links[client].is_up
    }

    /// A session is over: so are its ephemeral znodes.
    fn end(&mut self, id: i64) {
        let Some(mut session) = self.sessions.remove(&id) else {
            return;
        };
        if self.is_reached(session.client) {
            session.watches.end();
        }
        let own = |path: &String| {
            let node = self.tree.get(path).ok().flatten();
            node.is_some_and(|node| node.stat.ephemeral_owner == id)
        };
        let owned: Vec<String> = self
            .tree
            .ephemerals()
            .iter()
            .filter(|path| own(path))
            .cloned()
            .collect();
        let delete = |path: String| Op::delete(path, ANY_VERSION);
        let (_, events) = self
            .tree
            .multi(owned.into_iter().map(delete).collect(), 0, self.now_ms)
            .expect("ephemeral znodes have no children");
        self.fire(&events);
    }

    fn forget_watches(&mut self, session: i64) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.watches.end();
        }
    }

    fn fire(&mut self, events: &[WatchEvent]) {
        let ids: Vec<i64> = self.sessions.keys().copied().collect();
        for id in ids {
            let slow_ms = self.links[self.sessions[&id].client].slow_ms;
            let due = self.now_ms + self.random(slow_ms + 1) as i64;
            if let Some(session) = self.sessions.get_mut(&id) {
                session.unheard.extend(events.iter().map(|event| (due, event.clone())));
            }
        }
        self.tell_unheard();
    }

    /// Whoever is reached hears what is due, in its order.
    fn tell_unheard(&mut self) {
        let reached: Vec<i64> = self.sessions.keys().copied().collect();
        for id in reached {
            self.tell(id, self.now_ms);
        }
    }

    /// What happened comes before any answer that shows it.
    fn tell_all(&mut self, session: i64) {
        self.tell(session, i64::MAX);
    }

    fn tell(&mut self, session: i64, due: i64) {
        let client = self.sessions.get(&session).map(|session| session.client);
        if !client.is_some_and(|client| self.is_reached(client)) {
            return;
        }
        let Some(session) = self.sessions.get_mut(&session) else {
            return;
        };
        while session.unheard.front().is_some_and(|(at, _)| *at <= due) {
            if let Some((_, event)) = session.unheard.pop_front() {
                session.watches.fire(&event);
            }
        }
    }
}

impl Client {
    /// Cuts or mends the link to the ensemble.
    pub fn set_link(&self, is_up: bool) {
        let mut state = self.ensemble.state();
        state.links[self.name].is_up = is_up;
        state.tell_unheard();
    }

    /// From now on what it asks takes up to this long, and so does what it is told.
    pub fn set_slow(&self, most_ms: u64) {
        self.ensemble.state().links[self.name].slow_ms = most_ms;
    }

    /// Its process has ended, or another one has come in its place.
    pub fn set_alive(&self, is_alive: bool) {
        self.ensemble.state().links[self.name].is_alive = is_alive;
    }

    /// Waits until the ensemble is reached; `false` where that takes too long.
    async fn reach(&self, within: Duration) -> bool {
        let mut waited = Duration::ZERO;
        while !self.ensemble.state().is_reached(self.name) {
            if waited >= within {
                return false;
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
        true
    }

    fn lives(&self, session: i64) -> bool {
        self.ensemble.state().sessions.contains_key(&session)
    }
}

impl OpenSession for Client {
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn Store>, SessionError>> {
        Box::pin(async move {
            if !self.reach(self.session_timeout * 3).await {
                return Err(ConnectError::Unreachable {
                    connect: "a simulated ensemble".to_owned(),
                    timeout: self.session_timeout * 3,
                    reason: "its link is cut".to_owned(),
                }
                .into());
            }
            let mut state = self.ensemble.state();
            let id = 1 + state.links.iter().map(|link| link.had.len() as i64).sum::<i64>();
            let session = Session {
                client: self.name,
                timeout_ms: self.session_timeout.as_millis() as i64,
                heard_ms: state.now_ms,
                watches: Watches::default(),
                unheard: VecDeque::new(),
            };
            state.sessions.insert(id, session);
            state.links[self.name].had.push(id);
            drop(state);
            let (calls, called) = mpsc::unbounded_channel();
            let client = Client {
                ensemble: self.ensemble.clone(),
                name: self.name,
                session_timeout: self.session_timeout,
            };
            tokio::spawn(carry_out(client, id, called));
            let store: Arc<dyn Store> = Arc::new(SimulatedStore { session: id, calls });
            Ok(store)
        })
    }

    fn has_held(&self, session: i64) -> bool {
        self.ensemble.state().links[self.name].had.contains(&session)
    }
}

/// One session as its process sees it.
struct SimulatedStore {
    session: i64,
    calls: mpsc::UnboundedSender<Call>,
}

type Done = Box<dyn FnOnce() + Send>;

/// Gives what is to be done once the answer has arrived.
type CarryOut = Box<dyn FnOnce(&mut State, i64) -> Done + Send>;

struct Call {
    is_write: bool,
    carry_out: CarryOut,
    /// With an error instead of an answer.
    fail: Box<dyn FnOnce(StoreError) + Send>,
}

/// Carries out the calls of a session, in their order, until it is over.
async fn carry_out(client: Client, session: i64, mut calls: mpsc::UnboundedReceiver<Call>) {
    let mut is_known_over = false;
    while let Some(first) = calls.recv().await {
        let mut together = vec![first];
        while let Ok(next) = calls.try_recv() {
            together.push(next);
        }
        take_time(&client).await;
        // What waits for an answer longer than the session lasts learns that it is over.
        let is_reached = client.reach(client.session_timeout * 2).await;
        if !is_reached || !client.lives(session) {
            together
                .into_iter()
                .for_each(|call| (call.fail)(StoreError::SessionEnded));
            is_known_over = !is_reached;
            break;
        }
        let done = answers(&client, session, together);
        take_time(&client).await;
        let broke = !client.ensemble.state().is_reached(client.name);
        for (is_write, answer, fail) in done {
            match broke && is_write {
                true => fail(StoreError::Unknown {
                    reason: "the simulated link was cut".to_owned(),
                }),
                // Reads are repeated; that they show what was there a moment ago is allowed.
                false => answer(),
            }
        }
    }
    // Nobody tells an ensemble that is not reached.
    match is_known_over {
        true => client.ensemble.state().forget_watches(session),
        false => client.ensemble.state().end(session),
    }
    calls.close();
    while let Some(call) = calls.recv().await {
        (call.fail)(StoreError::SessionEnded);
    }
}

async fn take_time(client: &Client) {
    let ms = {
        let mut state = client.ensemble.state();
        let slow_ms = state.links[client.name].slow_ms;
        state.random(4 + slow_ms)
    };
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

type Answered = (bool, Done, Box<dyn FnOnce(StoreError) + Send>);

fn answers(client: &Client, session: i64, calls: Vec<Call>) -> Vec<Answered> {
    let mut state = client.ensemble.state();
    let mut done = Vec::with_capacity(calls.len());
    state.tell_all(session);
    for Call {
        is_write,
        carry_out,
        fail,
    } in calls
    {
        done.push((is_write, carry_out(&mut state, session), fail));
    }
    done
}

impl SimulatedStore {
    fn call<T: Send + 'static>(
        &self,
        is_write: bool,
        work: impl FnOnce(&mut State, i64) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let reply = Arc::new(Mutex::new(Some(reply)));
        let take =
            |reply: &Mutex<Option<oneshot::Sender<_>>>| reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        let failing = reply.clone();
        let call = Call {
            is_write,
            carry_out: Box::new(move |state, session| {
                let result = work(state, session);
                Box::new(move || drop(take(&reply).map(|reply| reply.send(result))))
            }),
            fail: Box::new(move |error| drop(take(&failing).map(|reply| reply.send(Err(error))))),
        };
        drop(self.calls.send(call));
        Box::pin(async move { answer.await.unwrap_or(Err(StoreError::SessionEnded)) })
    }
}

fn read(state: &State, path: &str) -> Result<Znode, StoreError> {
    let node = state.tree.get(path)?;
    let node = node.ok_or_else(|| StoreError::NoNode { path: path.to_owned() })?;
    Ok((node.data, node.stat))
}

fn stat(state: &State, path: &str) -> Result<Option<Stat>, StoreError> {
    Ok(state.tree.get(path)?.map(|node| node.stat))
}

fn watches(state: &mut State, session: i64) -> Result<&mut Watches, StoreError> {
    let session = state.sessions.get_mut(&session).ok_or(StoreError::SessionEnded)?;
    Ok(&mut session.watches)
}

impl Store for SimulatedStore {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Znode, StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, _| read(state, &path))
    }

    fn get_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Bytes, Stat, Watcher), StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, session| {
            let (data, stat) = read(state, &path)?;
            Ok((data, stat, watches(state, session)?.data(path)))
        })
    }

    fn get_many(&self, paths: Vec<String>) -> BoxFuture<'static, Result<Vec<Option<Znode>>, StoreError>> {
        self.call(false, move |state, _| {
            let read = |path: &String| Ok(state.tree.get(path)?.map(|node| (node.data, node.stat)));
            paths.iter().map(read).collect()
        })
    }

    fn exists(&self, path: &str) -> BoxFuture<'static, Result<Option<Stat>, StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, _| stat(state, &path))
    }

    fn exists_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Option<Stat>, Watcher), StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, session| {
            let stat = stat(state, &path)?;
            Ok((stat, watches(state, session)?.data(path)))
        })
    }

    fn children(&self, path: &str) -> BoxFuture<'static, Result<Vec<String>, StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, _| state.tree.children(&path))
    }

    fn children_and_watch(&self, path: &str) -> BoxFuture<'static, Result<(Vec<String>, Watcher), StoreError>> {
        let path = path.to_owned();
        self.call(false, move |state, session| {
            let names = state.tree.children(&path)?;
            Ok((names, watches(state, session)?.children(path)))
        })
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<Vec<OpResult>, StoreError>> {
        self.call(true, move |state, session| {
            if !state.sessions.contains_key(&session) {
                return Err(StoreError::SessionEnded);
            }
            let now_ms = state.now_ms;
            let (results, events) = state.tree.multi(ops, session, now_ms)?;
            state.fire(&events);
            Ok(results)
        })
    }

    fn session_id(&self) -> i64 {
        self.session
    }

    fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.call(true, |state, session| {
            state.end(session);
            Ok(())
        })
    }
}
