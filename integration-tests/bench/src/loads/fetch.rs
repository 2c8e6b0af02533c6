//! Hot fetches over plain sockets: the same records again and again, thrown away inside the kernel.

use super::{Outcome, Target};
use crate::batch::Batch;
use crate::usage::Meter;
use crate::wire::{Answer, Connection, SESSIONLESS, Session, fetch_frame};
use anyhow::{Result, ensure};

/// Each of two connections has one request in flight, as consumers do; one works while the other is read.
const CONNECTIONS: usize = 2;

/// Kafka's default; there is always something to read, so nobody waits.
const MAX_WAIT_MS: i32 = 500;

#[derive(Clone, Copy)]
pub struct Fetch {
    pub partition_max_bytes: i32,
    pub sessions: bool,
    pub partitions: i32,
    /// Bytes of batches to read while measured.
    pub log_bytes: u64,
}

/// `topic` holds, in every partition, `end_offset` records in copies of `batch`.
pub fn run(load: &Fetch, target: Target, topic: &str, batch: &Batch, end_offset: i64) -> Result<Outcome> {
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        readers.push(Reader::new(load, target, topic, batch, end_offset)?);
    }
    for reader in &mut readers {
        reader.ask()?;
    }
    read_in_turn(&mut readers, load.log_bytes / 10)?;
    let meter = Meter::start(target.pid)?;
    let batches = read_in_turn(&mut readers, load.log_bytes)?;
    let usage = meter.stop()?;
    Ok(Outcome {
        records: batches * batch.records,
        value_bytes: batches * batch.value_bytes,
        usage,
        latencies_ns: Vec::new(),
    })
}

/// Reads until `log_bytes` have arrived; returns how many whole batches. Leaves one request in flight on each.
fn read_in_turn(readers: &mut [Reader], log_bytes: u64) -> Result<u64> {
    let batch_bytes = readers[0].batch_bytes as u64;
    let mut batches = 0;
    while batches * batch_bytes < log_bytes {
        for reader in &mut *readers {
            batches += reader.read()?;
            reader.ask()?;
        }
    }
    Ok(batches)
}

struct Reader {
    connection: Connection,
    load: Fetch,
    topic: String,
    session: Session,
    offsets: Vec<i64>,
    end_offset: i64,
    batch_bytes: usize,
    batch_records: i64,
    scratch: Vec<u8>,
}

impl Reader {
    fn new(load: &Fetch, target: Target, topic: &str, batch: &Batch, end_offset: i64) -> Result<Self> {
        Ok(Reader {
            connection: Connection::open(target.address)?,
            load: *load,
            topic: topic.to_owned(),
            session: if load.sessions {
                Session { id: 0, epoch: 0 }
            } else {
                SESSIONLESS
            },
            offsets: vec![0; load.partitions as usize],
            end_offset,
            batch_bytes: batch.bytes.len(),
            batch_records: batch.records as i64,
            scratch: vec![0; 4 << 20],
        })
    }

    fn ask(&mut self) -> Result<()> {
        let frame = fetch_frame(
            &self.topic,
            self.session,
            &self.offsets,
            self.load.partition_max_bytes,
            MAX_WAIT_MS,
        );
        self.connection.send(&frame)
    }

    /// Reads one answer and steps past the whole batches in it.
    fn read(&mut self) -> Result<u64> {
        let mut head = [0; 22];
        self.connection.read_exact(&mut head)?;
        let mut answer = Answer(&head);
        answer.skip(12)?;
        let (error, session_id, topics) = (answer.i16()?, answer.i32()?, answer.i32()?);
        ensure!(
            error == 0 && topics == 1,
            "a fetch answered error {error}, {topics} topics"
        );
        if self.load.sessions {
            ensure!(session_id != 0, "the broker granted no fetch session");
            self.session = Session {
                id: session_id,
                epoch: self.session.epoch + 1,
            };
        }
        let mut topic = vec![0; 2 + self.topic.len() + 4];
        self.connection.read_exact(&mut topic)?;
        let partitions = Answer(&topic[2 + self.topic.len()..]).i32()?;
        let mut batches = 0;
        for _ in 0..partitions {
            batches += self.read_partition()?;
        }
        ensure!(batches > 0, "a fetch below the log end brought no records");
        Ok(batches)
    }

    fn read_partition(&mut self) -> Result<u64> {
        let mut head = [0; 42];
        self.connection.read_exact(&mut head)?;
        let mut answer = Answer(&head);
        let (partition, error) = (answer.i32()? as usize, answer.i16()?);
        answer.skip(24)?;
        let (aborted, _, length) = (answer.i32()?, answer.i32()?, answer.i32()?);
        ensure!(
            error == 0 && aborted <= 0,
            "partition {partition} answered error {error}, {aborted} aborted"
        );
        let length = usize::try_from(length).unwrap_or(0);
        if length < self.batch_bytes {
            self.connection.discard(length, &mut self.scratch)?;
            return Ok(0);
        }
        let mut base_offset = [0; 8];
        self.connection.read_exact(&mut base_offset)?;
        let offset = &mut self.offsets[partition];
        ensure!(
            i64::from_be_bytes(base_offset) == *offset,
            "records came from elsewhere than offset {offset}"
        );
        self.connection.discard(length - 8, &mut self.scratch)?;
        let batches = length / self.batch_bytes;
        *offset += batches as i64 * self.batch_records;
        if *offset >= self.end_offset {
            *offset = 0;
        }
        Ok(batches as u64)
    }
}
