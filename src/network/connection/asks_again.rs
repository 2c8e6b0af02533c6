//! A client that asks again at once, on threads as the broker has them: the connection looks for its requests.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::network::connections::{Connections, Limits};

const MIB: usize = 1024 * 1024;
/// Who is stuck for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request says how long its answer shall be. One for nothing is answered with a byte by another task.
struct Sizes;

impl Service for Sizes {
    fn order(&self, _frame: &Frame) -> Order {
        Order::Overlaps
    }

    fn start(self: &Arc<Self>, connection: &Arc<ConnectionState>, frame: &Frame) -> Started {
        let size = u32::from_be_bytes(frame.bytes[..].try_into().expect("four bytes"));
        let answer = |connection: &Arc<ConnectionState>, size: usize| {
            let share = connection.hold_answer(size);
            Answer::Send(vec![Bytes::from(vec![7; size]).into()], share)
        };
        if size > 0 {
            return Started::Ready(answer(connection, size as usize));
        }
        let connection = connection.clone();
        let later = tokio::spawn(tokio::task::yield_now());
        Started::Waiting(Box::pin(async move {
            later.await.expect("does not panic");
            answer(&connection, 1)
        }))
    }
}

/// Serves one client, which `ask` is, until it has closed its side.
fn with_client(ask: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    threads.expect("threads").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = std::thread::spawn(move || {
            let mut client = std::net::TcpStream::connect(address).expect("connects");
            client.set_nodelay(true).expect("a socket");
            client.set_read_timeout(Some(PATIENCE)).expect("a socket");
            ask(&mut client);
        });
        let (stream, peer) = listener.accept().expect("accepts");
        stream.set_nonblocking(true).expect("a socket");
        let connections = Connections::new(Limits {
            protected_listener: None,
            max_connections: 1,
            max_connections_per_ip: 1,
            max_connections_per_ip_overrides: HashMap::new(),
            max_idle: None,
            answer_memory_bytes: 64 * MIB,
        });
        let admitted = connections.admit(&Arc::from("TEST"), peer, address).expect("room");
        let stream = TcpStream::from_std(stream).expect("a socket");
        let memory = RequestMemory::new(MIB, MIB);
        let served = tokio::spawn(serve(Arc::new(Sizes), stream, admitted, MIB, memory));
        let ended = tokio::time::timeout(PATIENCE, served).await;
        ended.expect("it ends with its client").expect("it does not panic");
        client.join().expect("the client got what it asked for");
    });
}

/// Asks, in two writes with such a pause between them; does not sleep.
fn request(client: &mut std::net::TcpStream, size: u32, pause: Duration) {
    let bytes = [[0, 0, 0, 4], size.to_be_bytes()].concat();
    let (first, second) = bytes.split_at(size as usize % 9);
    client.write_all(first).expect("sends");
    let since = Instant::now();
    while since.elapsed() < pause {
        std::hint::spin_loop();
    }
    client.write_all(second).expect("sends");
}

fn answer(client: &mut std::net::TcpStream, size: u32) {
    let mut answer = vec![0; size.max(1) as usize];
    client.read_exact(&mut answer).expect("an answer");
    assert!(answer.iter().all(|byte| *byte == 7));
}

#[test]
fn every_request_is_answered_whenever_it_comes() {
    with_client(|client| {
        for nth in 0..3000_u32 {
            // Most at once; some while they are looked for, some too late; some are answered by another task.
            let pause = match nth % 64 {
                0 => 200,
                20 => 95,
                40 => 30,
                _ => 0,
            };
            let size = if nth % 50 == 0 { 0 } else { 1 + nth % 100 };
            request(client, size, Duration::from_micros(pause));
            answer(client, size);
        }
    });
}

#[test]
fn an_answer_that_is_not_taken_at_once_is_taken_in_the_end() {
    with_client(|client| {
        for large in [32 * MIB as u32, 16 * MIB as u32] {
            for _ in 0..200 {
                request(client, 10, Duration::ZERO);
                answer(client, 10);
            }
            request(client, large, Duration::ZERO);
            std::thread::sleep(Duration::from_millis(20));
            answer(client, large);
        }
    });
}

#[test]
fn what_was_asked_before_the_client_closed_its_side_is_answered() {
    with_client(|client| {
        for _ in 0..200 {
            request(client, 10, Duration::ZERO);
            answer(client, 10);
        }
        request(client, 10, Duration::ZERO);
        client.shutdown(Shutdown::Write).expect("closes its side");
        answer(client, 10);
        assert_eq!(client.read(&mut [0; 8]).expect("ends"), 0);
    });
}
