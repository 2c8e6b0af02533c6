use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc;

use super::*;
use crate::network::connections::{Connections, Limits};
use crate::network::in_flight::AnswerFuture;
use crate::network::stopped_clock::{settle, with_stopped_clock};

/// A request is one letter: lower case overlaps, upper case is a barrier. It is answered with itself when the test says so.
struct Letters {
    started: mpsc::UnboundedSender<char>,
    answers: Mutex<HashMap<char, tokio::sync::oneshot::Receiver<Bytes>>>,
}

impl Service for Letters {
    fn order(&self, frame: &Frame) -> Order {
        if frame.bytes[0].is_ascii_lowercase() {
            Order::Overlaps
        } else {
            Order::Barrier
        }
    }

    fn start(self: &Arc<Self>, connection: &Arc<ConnectionState>, frame: &Frame) -> Started {
        let letter = char::from(frame.bytes[0]);
        let is_barrier = self.order(frame) == Order::Barrier;
        if !is_barrier {
            self.started.send(letter).expect("the test listens");
        }
        let (service, connection) = (self.clone(), connection.clone());
        let answer: AnswerFuture = Box::pin(async move {
            if is_barrier {
                service.started.send(letter).expect("the test listens");
            }
            let receiver = service
                .answers
                .lock()
                .await
                .remove(&letter)
                .expect("an expected letter");
            match receiver.await {
                Ok(bytes) => {
                    let share = connection.hold_answer(bytes.len());
                    Answer::Send(vec![bytes.into()], share)
                }
                Err(_) => Answer::Close,
            }
        });
        Started::Waiting(answer)
    }
}

fn limits() -> Limits {
    Limits {
        protected_listener: None,
        max_connections: 10,
        max_connections_per_ip: 10,
        max_connections_per_ip_overrides: HashMap::new(),
        max_idle: None,
        answer_memory_bytes: 64 * MIB,
    }
}

struct Harness {
    connections: Arc<Connections>,
    client: TcpStream,
    started: mpsc::UnboundedReceiver<char>,
    answers: HashMap<char, tokio::sync::oneshot::Sender<Bytes>>,
}

impl Harness {
    async fn new(letters: &str) -> Self {
        Self::with(letters, limits()).await
    }

    async fn with(letters: &str, limits: Limits) -> Self {
        Self::of(letters, &Connections::new(limits)).await
    }

    /// One more client of the same broker.
    async fn of(letters: &str, connections: &Arc<Connections>) -> Self {
        let (started_in, started) = mpsc::unbounded_channel();
        let (mut senders, mut receivers) = (HashMap::new(), HashMap::new());
        for letter in letters.chars() {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            senders.insert(letter, sender);
            receivers.insert(letter, receiver);
        }
        let service = Arc::new(Letters {
            started: started_in,
            answers: Mutex::new(receivers),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("connects");
        let (stream, peer) = listener.accept().await.expect("accepts");
        let admitted = connections.admit(&Arc::from("TEST"), peer, address).expect("room");
        tokio::spawn(serve(
            service,
            stream,
            admitted,
            1024 * 1024,
            RequestMemory::new(1 << 20, 1 << 20),
        ));
        Self {
            connections: connections.clone(),
            client,
            started,
            answers: senders,
        }
    }

    async fn send(&mut self, letters: &str) {
        for letter in letters.bytes() {
            self.client.write_all(&[0, 0, 0, 1, letter]).await.expect("sends");
        }
    }

    fn answer(&mut self, letter: char) {
        self.answer_with(letter, Bytes::from(letter.to_string()));
    }

    fn answer_with(&mut self, letter: char, bytes: Bytes) {
        let sent = self.answers.remove(&letter).expect("not answered yet").send(bytes);
        sent.expect("the request waits");
    }

    async fn next_started(&mut self) -> char {
        self.started.recv().await.expect("the connection lives")
    }

    async fn nothing_starts(&mut self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(self.started.try_recv().is_err(), "something started too early");
    }

    async fn receive(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        let read = with_stopped_clock(self.client.read_exact(&mut bytes));
        read.await.expect("answers");
        String::from_utf8(bytes).expect("letters")
    }
}

#[tokio::test]
async fn overlapping_requests_start_at_once_and_are_answered_in_order() {
    let mut harness = Harness::new("abc").await;
    harness.send("abc").await;
    for expected in ['a', 'b', 'c'] {
        assert_eq!(harness.next_started().await, expected);
    }
    harness.answer('c');
    harness.answer('b');
    harness.answer('a');
    assert_eq!(harness.receive(3).await, "abc");
}

#[tokio::test]
async fn a_barrier_waits_for_those_before_it_and_holds_back_those_after_it() {
    let mut harness = Harness::new("aBc").await;
    harness.send("aBc").await;
    assert_eq!(harness.next_started().await, 'a');
    harness.nothing_starts().await;
    harness.answer('a');
    assert_eq!(harness.next_started().await, 'B');
    harness.nothing_starts().await;
    harness.answer('B');
    assert_eq!(harness.next_started().await, 'c');
    harness.answer('c');
    assert_eq!(harness.receive(3).await, "aBc");
}

#[tokio::test]
async fn what_had_arrived_when_the_client_closed_is_carried_out() {
    let mut harness = Harness::new("AbC").await;
    harness.send("AbC").await;
    harness.client.shutdown().await.expect("closes its side");
    for letter in ['A', 'b', 'C'] {
        assert_eq!(harness.next_started().await, letter);
        harness.answer(letter);
    }
    assert_eq!(harness.receive(3).await, "AbC");
    assert_eq!(harness.client.read(&mut [0; 8]).await.expect("ends"), 0);
}

#[tokio::test]
async fn a_frame_that_comes_in_pieces_is_one_request() {
    let mut harness = Harness::new("a").await;
    for byte in [0, 0, 0, 1] {
        harness.client.write_all(&[byte]).await.expect("sends");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    harness.nothing_starts().await;
    harness.client.write_all(b"a").await.expect("sends");
    assert_eq!(harness.next_started().await, 'a');
}

#[tokio::test]
async fn an_impossible_length_closes_the_connection() {
    for length in [-1_i32, i32::MAX] {
        let mut harness = Harness::new("").await;
        harness.client.write_all(&length.to_be_bytes()).await.expect("sends");
        assert_eq!(
            harness.client.read(&mut [0; 8]).await.expect("ends"),
            0,
            "length {length}"
        );
    }
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let stream = TcpStream::connect(address).await.expect("connects");
    let connections = Connections::new(limits());
    let admitted = connections.admit(&Arc::from("TEST"), address, address).expect("room");
    let (started, _) = mpsc::unbounded_channel();
    let service = Arc::new(Letters {
        started,
        answers: Mutex::default(),
    });
    let task = serve(service, stream, admitted, 1, RequestMemory::new(1, 1));
    // Two thousand idle connections shall cost megabytes, not tens of them.
    assert!(
        size_of_val(&task) <= 2048,
        "the task of a connection takes {} bytes",
        size_of_val(&task)
    );
}

/// Looks for idle connections as a running broker does, on the test's clock.
fn sweep(connections: &Arc<Connections>) {
    let connections = connections.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            connections.close_idle();
            connections.close_slow_readers();
        }
    });
}

fn closed_when_idle_for(max_idle: Duration) -> Limits {
    Limits {
        max_idle: Some(max_idle),
        ..limits()
    }
}

const MIB: usize = 1024 * 1024;
/// More than the sockets' buffers take.
const LARGE: usize = 32 * MIB;

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_a_large_answer_is_not_idle() {
    let mut harness = Harness::with("a", closed_when_idle_for(Duration::from_secs(3))).await;
    sweep(&harness.connections);
    harness.send("a").await;
    harness.answer_with('a', Bytes::from(vec![b'a'; LARGE]));
    let mut piece = vec![0; LARGE / 32];
    for _ in 0..32 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = with_stopped_clock(harness.client.read_exact(&mut piece));
        read.await.expect("the answer goes on");
        // The other side has to see the room.
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_closed() {
    let mut harness = Harness::with("a", closed_when_idle_for(Duration::from_secs(3))).await;
    sweep(&harness.connections);
    harness.send("a").await;
    harness.answer_with('a', Bytes::from(vec![b'a'; LARGE]));
    let closed = tokio::time::timeout(Duration::from_secs(60), harness.connections.wait_for_none());
    closed.await.expect("closed at its deadline");
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_does_not_keep_a_connection_open() {
    let mut harness = Harness::with("", closed_when_idle_for(Duration::from_secs(3))).await;
    sweep(&harness.connections);
    let mut sent = 0;
    let prefix = 1000_i32.to_be_bytes();
    while !harness.connections.is_empty() {
        assert!(sent < 10, "still open after {sent} s");
        let byte = prefix.get(sent).copied().unwrap_or(b'a');
        // The last one may meet a closed socket.
        let _: Result<_, _> = harness.client.write_all(&[byte]).await;
        sent += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_behind_one_that_is_not_there_are_not_made_without_end() {
    let mut harness = Harness::new("abcdefghijklmnopqrstuvwxyz").await;
    harness.send("abcdefghijklmnopqrstuvwxy").await;
    for letter in "abcdefghijklmnopqrstuvwxy".chars() {
        assert_eq!(harness.next_started().await, letter);
        if letter != 'a' {
            harness.answer_with(letter, Bytes::from(vec![u8::try_from(letter).expect("ASCII"); MIB]));
        }
    }
    settle().await;
    let held = harness.connections.answers().held_bytes();
    assert!((8 * MIB..=9 * MIB).contains(&held), "{held} bytes are held");
    harness.send("z").await;
    harness.nothing_starts().await;
    harness.answer('a');
    assert_eq!(harness.receive(1).await, "a");
    for letter in "bcdefghijklmnopqrstuvwxy".chars() {
        assert_eq!(harness.receive(MIB).await, letter.to_string().repeat(MIB));
    }
    assert_eq!(harness.next_started().await, 'z');
    harness.answer('z');
    assert_eq!(harness.receive(1).await, "z");
    settle().await;
    assert_eq!(harness.connections.answers().held_bytes(), 0);
}

/// A client that is answered with as much as fills the memory of all, and does not read it; and another client.
async fn short_of_memory(letters: &str) -> (Harness, Harness) {
    let limits = Limits {
        answer_memory_bytes: LARGE,
        ..limits()
    };
    let mut greedy = Harness::with("A", limits).await;
    greedy.send("A").await;
    greedy.answer_with('A', Bytes::from(vec![b'A'; LARGE]));
    settle().await;
    assert!(greedy.connections.answers().is_short());
    let other = Harness::of(letters, &greedy.connections).await;
    (greedy, other)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_while_the_memory_of_all_is_short() {
    for letter in ["b", "B"] {
        let (mut greedy, mut other) = short_of_memory(letter).await;
        other.send(letter).await;
        other.nothing_starts().await;
        greedy.receive(LARGE).await;
        let letter = letter.chars().next().expect("one letter");
        assert_eq!(other.next_started().await, letter);
        other.answer(letter);
        assert_eq!(other.receive(1).await, letter.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_gathered_while_the_memory_of_all_is_short() {
    let (_greedy, mut other) = short_of_memory("").await;
    // More than the sockets hold.
    let flood = b"\0\0\0\x01b".repeat(16 * MIB);
    let sent = tokio::time::timeout(Duration::from_secs(10), other.client.write_all(&flood)).await;
    assert!(sent.is_err(), "80 MiB were taken");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_its_answers_is_closed_when_others_wait_for_the_memory() {
    let (greedy, mut other) = short_of_memory("B").await;
    sweep(&greedy.connections);
    other.send("B").await;
    let started = tokio::time::timeout(Duration::from_secs(60), other.next_started());
    assert_eq!(started.await.expect("room comes"), 'B');
    other.answer('B');
    assert_eq!(other.receive(1).await, "B");
    assert_eq!(greedy.connections.len(), 1, "only the other one is open");
}

#[tokio::test(start_paused = true)]
async fn who_holds_answers_behind_one_that_does_not_come_is_closed_when_others_wait() {
    let limits = Limits {
        answer_memory_bytes: 8 * MIB,
        ..limits()
    };
    let mut greedy = Harness::with("ab", limits).await;
    sweep(&greedy.connections);
    greedy.send("ab").await;
    greedy.answer_with('b', Bytes::from(vec![b'b'; 8 * MIB]));
    settle().await;
    let mut other = Harness::of("B", &greedy.connections).await;
    other.send("B").await;
    let started = tokio::time::timeout(Duration::from_secs(60), other.next_started());
    assert_eq!(started.await.expect("room comes"), 'B');
}

#[tokio::test(start_paused = true)]
async fn who_takes_its_answers_slowly_is_not_closed() {
    let (mut greedy, _other) = short_of_memory("").await;
    sweep(&greedy.connections);
    let mut piece = vec![0; 128 * 1024];
    // Longer than the sockets alone could feed it.
    for _ in 0..LARGE / piece.len() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = with_stopped_clock(greedy.client.read_exact(&mut piece));
        read.await.expect("the answer goes on");
        // The other side has to see the room.
        settle().await;
    }
}

/// A request of `length` bytes, of which `count` are sent.
async fn send_large(harness: &mut Harness, letter: u8, length: usize, count: usize) {
    let prefix = u32::try_from(length).expect("short").to_be_bytes();
    harness.client.write_all(&prefix).await.expect("sends");
    harness.client.write_all(&vec![letter; count]).await.expect("sends");
}

async fn is_closed_in_the_end(harness: &Harness) {
    let closed = tokio::time::timeout(Duration::from_secs(3600), harness.connections.wait_for_none());
    closed.await.expect("closed at its deadline");
}

#[tokio::test(start_paused = true)]
async fn a_large_request_that_does_not_come_on_closes_its_connection() {
    let mut harness = Harness::new("").await;
    send_large(&mut harness, b'a', MIB / 2, MIB / 4).await;
    is_closed_in_the_end(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_request_behind_one_that_is_never_answered_closes_its_connection() {
    let mut harness = Harness::new("aB").await;
    harness.send("a").await;
    assert_eq!(harness.next_started().await, 'a');
    send_large(&mut harness, b'B', MIB / 2, MIB / 2).await;
    is_closed_in_the_end(&harness).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_request_of_a_client_that_does_not_read_closes_its_connection() {
    let mut harness = Harness::new("a").await;
    harness.send("a").await;
    assert_eq!(harness.next_started().await, 'a');
    send_large(&mut harness, b'b', MIB / 2, MIB / 4).await;
    settle().await;
    harness.answer_with('a', Bytes::from(vec![b'a'; LARGE]));
    is_closed_in_the_end(&harness).await;
}
