use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::network::stopped_clock::settle;

const MIB: usize = 1024 * 1024;
/// Longer than any deadline here, on a clock that is wound by hand.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

async fn pair() -> (TcpStream, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound"))
        .await
        .expect("connects");
    let (stream, _) = listener.accept().await.expect("accepts");
    (client, Socket::new(stream))
}

async fn next_frame(reader: &mut FrameReader, socket: &mut Socket) -> Result<Frame, FrameError> {
    loop {
        if let Some(frame) = reader.take_frame()? {
            return Ok(frame);
        }
        let patience = reader.patience();
        tokio::select! {
            read = reader.fill(socket, true) => read?,
            e = patience.ended() => return Err(e),
        }
    }
}

/// The first frame of a new connection, read by a task of its own.
async fn reading(memory: &RequestMemory) -> (TcpStream, JoinHandle<Result<Frame, FrameError>>) {
    let (client, mut stream) = pair().await;
    let mut reader = FrameReader::new(MIB, memory.clone());
    (
        client,
        tokio::spawn(async move { next_frame(&mut reader, &mut stream).await }),
    )
}

/// A frame's length and the first `count` of its bytes.
async fn send_first(client: &mut TcpStream, length: usize, count: usize) {
    let prefix = u32::try_from(length).expect("short").to_be_bytes();
    client.write_all(&prefix).await.expect("sends");
    client.write_all(&vec![7; count]).await.expect("sends");
}

async fn soon<T>(task: JoinHandle<T>) -> T {
    let joined = tokio::time::timeout(NEVER, task).await;
    joined.expect("it does not wait for ever").expect("it does not panic")
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_memory_waits_until_a_frame_is_dropped() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut first, reads_first) = reading(&memory).await;
    send_first(&mut first, MIB, 300 * 1024).await;
    settle().await;
    let (mut second, reads_second) = reading(&memory).await;
    send_first(&mut second, MIB, 300 * 1024).await;
    settle().await;
    first.write_all(&vec![7; 724 * 1024]).await.expect("sends");
    let frame = soon(reads_first).await.expect("a frame");
    assert_eq!(frame.bytes.len(), MIB);
    assert!(!reads_second.is_finished());
    drop(frame);
    second.write_all(&vec![7; 724 * 1024]).await.expect("sends");
    assert_eq!(soon(reads_second).await.expect("a frame").bytes.len(), MIB);
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_line_outlives_what_interrupts_the_reading() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut holder, holds) = reading(&memory).await;
    send_first(&mut holder, MIB, MIB).await;
    let held = soon(holds).await.expect("a frame");
    let (mut patient, mut stream) = pair().await;
    let mut reader = FrameReader::new(MIB, memory.clone());
    send_first(&mut patient, MIB, 100 * 1024).await;
    for _ in 0..20 {
        let _: Result<_, _> = tokio::time::timeout(Duration::from_millis(1), reader.fill(&mut stream, true)).await;
    }
    let (mut later, reads_later) = reading(&memory).await;
    send_first(&mut later, MIB, MIB).await;
    settle().await;
    drop(held);
    settle().await;
    assert!(!reads_later.is_finished(), "who came later is served first");
    patient.write_all(&vec![7; MIB - 100 * 1024]).await.expect("sends");
    let frame = tokio::time::timeout(NEVER, next_frame(&mut reader, &mut stream)).await;
    drop(frame.expect("its turn comes").expect("a frame"));
    soon(reads_later).await.expect("a frame");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_for_a_while_does_not_stand_in_the_line() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut holder, holds) = reading(&memory).await;
    send_first(&mut holder, MIB, MIB).await;
    let held = soon(holds).await.expect("a frame");
    let (mut busy, mut stream) = pair().await;
    let mut reader = FrameReader::new(MIB, memory.clone());
    send_first(&mut busy, MIB, 100 * 1024).await;
    while reader.share.as_ref().is_none_or(|share| !share.waits()) {
        let _: Result<_, _> = tokio::time::timeout(Duration::from_millis(1), reader.fill(&mut stream, true)).await;
    }
    reader.leave_the_line();
    drop(held);
    let (mut other, reads_other) = reading(&memory).await;
    send_first(&mut other, MIB, MIB).await;
    soon(reads_other).await.expect("a frame");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_nothing_follows_ends_the_connection() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut claims, reads_claim) = reading(&memory).await;
    send_first(&mut claims, MIB, 100 * 1024).await;
    let error = soon(reads_claim).await.err().expect("an error");
    assert!(matches!(error, FrameError::Stalled), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_trickle_does_not_keep_the_claim() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut client, reads) = reading(&memory).await;
    send_first(&mut client, MIB, 100 * 1024).await;
    let trickles = tokio::spawn(async move {
        while client.write_all(&[7]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let error = soon(reads).await.err().expect("an error");
    assert!(matches!(error, FrameError::Stalled), "{error}");
    trickles.abort();
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_is_no_trickle() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut client, reads) = reading(&memory).await;
    send_first(&mut client, MIB, 0).await;
    // A fifth of a line of 1 Mbit/s.
    for piece in vec![7; MIB].chunks(25_000) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.write_all(piece).await.expect("sends");
    }
    assert_eq!(soon(reads).await.expect("a frame").bytes.len(), MIB);
}

#[tokio::test]
async fn memory_grows_with_what_arrives_and_not_with_what_is_claimed() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut client, mut stream) = pair().await;
    let mut reader = FrameReader::new(MIB, memory.clone());
    for _ in 0..2 {
        match reader.buffered_bytes() {
            0 => send_first(&mut client, MIB, 1).await,
            _ => client.write_all(&[7]).await.expect("sends"),
        }
        reader.fill(&mut stream, true).await.expect("reads");
    }
    assert!(reader.buffer.capacity() <= 1024, "{} bytes", reader.buffer.capacity());
    assert_eq!(memory.held_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_frame_larger_than_the_budget_is_taken_alone() {
    let memory = RequestMemory::new(1, MIB);
    let (mut client, reads) = reading(&memory).await;
    send_first(&mut client, MIB, MIB).await;
    assert_eq!(soon(reads).await.expect("a frame").bytes.len(), MIB);
}

/// The first frame of a new connection of which nothing more comes than `count` bytes, and its reading.
async fn claim(
    memory: &RequestMemory,
    length: usize,
    count: usize,
) -> (TcpStream, JoinHandle<Result<Frame, FrameError>>) {
    let (mut client, mut stream) = pair().await;
    let mut reader = FrameReader::new(100 * MIB, memory.clone());
    let reads = tokio::spawn(async move { next_frame(&mut reader, &mut stream).await });
    send_first(&mut client, length, count).await;
    settle().await;
    (client, reads)
}

/// Until nothing more of what is sent is taken in.
async fn settle_in(memory: &RequestMemory) {
    let (mut held, mut unchanged) = (0, 0);
    while unchanged < 5 {
        settle().await;
        let now = memory.held_bytes();
        unchanged = if now == held { unchanged + 1 } else { 0 };
        held = now;
    }
}

/// How long a frame of 1 MiB takes from its first byte on.
async fn served_after(memory: &RequestMemory) -> Duration {
    let began = Instant::now();
    let (_client, reads) = claim(memory, MIB, MIB).await;
    soon(reads).await.expect("a frame");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn claims_alone_keep_no_memory_from_others() {
    let memory = RequestMemory::new(256 * MIB, 100 * MIB);
    let mut claims = Vec::new();
    for _ in 0..10 {
        claims.push(claim(&memory, 100 * MIB, 70_000).await);
    }
    assert!(memory.held_bytes() <= 10 * 2 * 70_010, "{} bytes", memory.held_bytes());
    assert_eq!(served_after(&memory).await, Duration::ZERO);
    assert!(claims.iter().all(|(_, reads)| !reads.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn claims_keep_no_memory_from_others_where_one_of_them_is_all_there_is() {
    let memory = RequestMemory::new(10 * MIB, 10 * MIB);
    let mut claims = Vec::new();
    for _ in 0..10 {
        claims.push(claim(&memory, 10 * MIB, 70_000).await);
    }
    assert_eq!(served_after(&memory).await, Duration::ZERO);
    assert!(claims.iter().all(|(_, reads)| !reads.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn who_fills_the_memory_and_then_sends_nothing_is_closed_within_two_seconds() {
    let memory = RequestMemory::new(10 * MIB, 10 * MIB);
    let mut all = Vec::new();
    for _ in 0..10 {
        let (mut client, reads) = claim(&memory, 10 * MIB, 0).await;
        all.push(reads);
        tokio::spawn(async move {
            // As much of it as is taken.
            let _: Result<_, _> = client.write_all(&vec![7; 10 * MIB - 1]).await;
            tokio::time::sleep(NEVER).await;
        });
        settle_in(&memory).await;
    }
    let waited = served_after(&memory).await;
    assert!((1..=2).contains(&waited.as_secs()), "{waited:?}");
    for reads in all {
        let error = soon(reads).await.err().expect("an error");
        assert!(matches!(error, FrameError::GivenUp | FrameError::Stalled), "{error}");
    }
}

/// Each in steps, and together more than there is.
#[tokio::test(start_paused = true)]
async fn frames_that_do_not_fit_together_come_in_one_after_the_other() {
    let memory = RequestMemory::new(12 * MIB, 8 * MIB);
    let mut all = Vec::new();
    for _ in 0..3 {
        let (mut client, reads) = claim(&memory, 8 * MIB, 0).await;
        let sends = tokio::spawn(async move {
            client.write_all(&vec![7; 8 * MIB]).await.expect("sends");
            client
        });
        all.push((sends, reads));
    }
    for (sends, reads) in all {
        assert_eq!(soon(reads).await.expect("a frame").bytes.len(), 8 * MIB);
        soon(sends).await;
    }
    assert_eq!(memory.held_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_memory_is_not_closed_for_sending_nothing() {
    let memory = RequestMemory::new(MIB, MIB);
    let (mut holder, holds) = reading(&memory).await;
    send_first(&mut holder, MIB, MIB).await;
    let held = soon(holds).await.expect("a frame");
    let (mut patient, reads) = reading(&memory).await;
    send_first(&mut patient, MIB, MIB).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert!(!reads.is_finished());
    drop(held);
    soon(reads).await.expect("a frame");
}

#[test]
fn other_protocols_are_named_where_a_connection_begins_with_them() {
    let said = |start: &[u8; 4], is_first| {
        let (length, max) = (i32::from_be_bytes(*start), MIB);
        FrameError::Length { length, is_first, max }.to_string()
    };
    for http in [b"GET ", b"POST", b"HTTP", b"PRI "] {
        assert!(said(http, true).contains("HTTP"));
    }
    assert!(said(&[0x16, 3, 1, 2], true).contains("TLS"));
    for (start, is_first) in [(b"GET ", false), (b"\x7fabc", true), (b"get ", true)] {
        let line = said(start, is_first);
        assert!(line.ends_with("(socket.request.max.bytes)"), "{line}");
    }
}
