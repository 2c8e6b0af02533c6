//! The few requests that the loads need, in their last versions without tagged fields, and a plain blocking connection.
//!
//! Written apart from the broker's own message tables on purpose: a mistake there must not hide here.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const PRODUCE: (i16, i16) = (0, 7);
const FETCH: (i16, i16) = (1, 11);
const METADATA: (i16, i16) = (3, 1);
const API_VERSIONS: (i16, i16) = (18, 0);
const CREATE_TOPICS: (i16, i16) = (19, 2);
const DELETE_TOPICS: (i16, i16) = (20, 1);

/// A broker that does not answer for this long has failed the load.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// A request frame under construction.
pub struct Frame(Vec<u8>);

impl Frame {
    fn new((api_key, version): (i16, i16), correlation_id: i32) -> Self {
        let mut frame = Frame(vec![0; 4]);
        frame.i16(api_key).i16(version).i32(correlation_id).string("bench");
        frame
    }

    fn i8(&mut self, value: i8) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    fn string(&mut self, value: &str) -> &mut Self {
        self.i16(value.len() as i16).0.extend_from_slice(value.as_bytes());
        self
    }

    fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.i32(value.len() as i32).0.extend_from_slice(value);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as i32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// One Produce request with the same batch for each of the topic's first `partitions` partitions.
pub fn produce_frame(correlation_id: i32, topic: &str, partitions: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut frame = Frame::new(PRODUCE, correlation_id);
    frame.i16(-1).i16(acks).i32(30_000).i32(1).string(topic).i32(partitions);
    for partition in 0..partitions {
        frame.i32(partition).bytes(batch);
    }
    frame.finish()
}

/// Where a Fetch stands in its session; `SESSIONLESS` asks for none.
#[derive(Clone, Copy)]
pub struct Session {
    pub id: i32,
    pub epoch: i32,
}

pub const SESSIONLESS: Session = Session { id: 0, epoch: -1 };

/// One Fetch request from `offsets[partition]` on, at most `partition_max_bytes` of each partition.
pub fn fetch_frame(
    topic: &str,
    session: Session,
    offsets: &[i64],
    partition_max_bytes: i32,
    max_wait_ms: i32,
) -> Vec<u8> {
    let mut frame = Frame::new(FETCH, session.epoch);
    frame
        .i32(-1)
        .i32(max_wait_ms)
        .i32(1)
        .i32(50 << 20)
        .i8(0)
        .i32(session.id)
        .i32(session.epoch);
    frame.i32(1).string(topic).i32(offsets.len() as i32);
    for (partition, offset) in offsets.iter().enumerate() {
        frame
            .i32(partition as i32)
            .i32(-1)
            .i64(*offset)
            .i64(-1)
            .i32(partition_max_bytes);
    }
    frame.i32(0).string("");
    frame.finish()
}

/// The unread rest of an answer.
pub struct Answer<'a>(pub &'a [u8]);

impl<'a> Answer<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((head, rest)) = self.0.split_first_chunk::<N>() else {
            bail!("an answer ends too early")
        };
        self.0 = rest;
        Ok(*head)
    }

    pub fn skip(&mut self, length: usize) -> Result<()> {
        self.0 = self.0.get(length..).context("an answer ends too early")?;
        Ok(())
    }

    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    /// A string or null, which reads as empty.
    pub fn string(&mut self) -> Result<&'a str> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        ensure!(self.0.len() >= length, "an answer ends inside a string");
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(std::str::from_utf8(head)?)
    }
}

/// Checks one Produce answer (without its size): the correlation id, and that every partition took its batch.
pub fn check_produced(answer: &[u8], correlation_id: i32) -> Result<()> {
    let mut answer = Answer(answer);
    let answered = answer.i32()?;
    ensure!(
        answered == correlation_id,
        "answer {answered} came where {correlation_id} was due"
    );
    for _ in 0..answer.i32()? {
        let topic = answer.string()?;
        for _ in 0..answer.i32()? {
            let (partition, error) = (answer.i32()?, answer.i16()?);
            ensure!(error == 0, "{topic}-{partition} refused a batch with error {error}");
            answer.skip(24)?;
        }
    }
    Ok(())
}

/// A blocking connection with a buffer for answers.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The part of `buffer` that is filled and not yet read.
    unread: std::ops::Range<usize>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Connection {
            stream,
            buffer: vec![0; 128 * 1024],
            unread: 0..0,
        })
    }

    /// A second handle on the same socket, with an empty buffer of its own.
    pub fn share(&self) -> Result<Self> {
        Ok(Connection {
            stream: self.stream.try_clone()?,
            buffer: vec![0; 128 * 1024],
            unread: 0..0,
        })
    }

    pub fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames)?)
    }

    /// The next answer, without its size. It must fit the buffer.
    pub fn receive(&mut self) -> Result<&[u8]> {
        self.fill(4)?;
        let start = self.unread.start;
        let size = i32::from_be_bytes([0, 1, 2, 3].map(|at| self.buffer[start + at])) as usize;
        self.fill(4 + size)?;
        let answer = self.unread.start + 4..self.unread.start + 4 + size;
        self.unread.start = answer.end;
        Ok(&self.buffer[answer])
    }

    /// Reads until `length` unread bytes are there.
    fn fill(&mut self, length: usize) -> Result<()> {
        if self.unread.start + length > self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if length > self.buffer.len() {
                self.buffer.resize(length, 0);
            }
        }
        while self.unread.len() < length {
            let read = self.stream.read(&mut self.buffer[self.unread.end..])?;
            ensure!(read > 0, "the broker closed the connection");
            self.unread.end += read;
        }
        Ok(())
    }

    /// Reads exactly `into`, past the buffer, which must be empty.
    pub fn read_exact(&mut self, into: &mut [u8]) -> Result<()> {
        Ok(self.stream.read_exact(into)?)
    }

    /// Throws `length` bytes away without copying them out of the kernel; `scratch` is only lent, never written.
    pub fn discard(&mut self, mut length: usize, scratch: &mut [u8]) -> Result<()> {
        use rustix::net::{RecvFlags, recv};
        while length > 0 {
            let most = length.min(scratch.len());
            let (_, dropped) = recv(
                &self.stream,
                &mut scratch[..most],
                RecvFlags::TRUNC | RecvFlags::WAITALL,
            )?;
            ensure!(dropped > 0, "the broker closed the connection inside an answer");
            length -= dropped;
        }
        Ok(())
    }

    fn ask(&mut self, frame: Frame) -> Result<Answer<'_>> {
        self.send(&frame.finish())?;
        let mut answer = Answer(self.receive()?);
        answer.i32()?;
        Ok(answer)
    }

    pub fn api_versions(&mut self) -> Result<()> {
        let error = self.ask(Frame::new(API_VERSIONS, 1))?.i16()?;
        ensure!(error == 0, "ApiVersions answered with error {error}");
        Ok(())
    }

    /// How many of the first `partitions` partitions of `topic` are served: the metadata may name a leader before it
    /// knows that it leads.
    fn served_partitions(&mut self, topic: &str, partitions: i32) -> Result<i32> {
        let offsets = vec![0; partitions as usize];
        self.send(&fetch_frame(topic, SESSIONLESS, &offsets, 1, 0))?;
        let mut answer = Answer(self.receive()?);
        answer.skip(14)?; // correlation id, throttle time, error, session
        let mut served = 0;
        for _ in 0..answer.i32()? {
            answer.string()?;
            for _ in 0..answer.i32()? {
                answer.skip(4)?;
                served += i32::from(answer.i16()? == 0);
                answer.skip(32)?; // three offsets, aborted transactions, preferred replica
                let records = usize::try_from(answer.i32()?).unwrap_or(0);
                answer.skip(records)?;
            }
        }
        Ok(served)
    }

    /// Asks for the brokers only: what a client does first.
    pub fn metadata(&mut self) -> Result<()> {
        let mut frame = Frame::new(METADATA, 3);
        frame.i32(0);
        ensure!(self.ask(frame)?.i32()? > 0, "Metadata names no broker");
        Ok(())
    }

    /// Creates `topic` and waits until every partition is served.
    pub fn create_topic(&mut self, topic: &str, partitions: i32) -> Result<()> {
        let mut frame = Frame::new(CREATE_TOPICS, 4);
        frame
            .i32(1)
            .string(topic)
            .i32(partitions)
            .i16(1)
            .i32(0)
            .i32(0)
            .i32(60_000)
            .i8(0);
        let mut answer = self.ask(frame)?;
        answer.skip(8)?;
        answer.string()?;
        let error = answer.i16()?;
        ensure!(
            error == 0,
            "{topic} cannot be created: error {error}, {}",
            answer.string()?
        );
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while self.served_partitions(topic, partitions)? < partitions {
            ensure!(
                Instant::now() < deadline,
                "{topic} still has partitions that are not served"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Deletes `topic`; a topic that is not there is fine.
    pub fn delete_topic(&mut self, topic: &str) -> Result<()> {
        let mut frame = Frame::new(DELETE_TOPICS, 5);
        frame.i32(1).string(topic).i32(60_000);
        let mut answer = self.ask(frame)?;
        answer.skip(8)?;
        answer.string()?;
        let error = answer.i16()?;
        ensure!(
            [0, UNKNOWN_TOPIC_OR_PARTITION].contains(&error),
            "{topic} cannot be deleted: error {error}"
        );
        Ok(())
    }
}
