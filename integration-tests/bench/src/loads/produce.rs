//! Prebuilt batches over a plain socket, a bounded number of requests in flight.

use super::{Outcome, Target};
use crate::batch::{self, Codec};
use crate::usage::Meter;
use crate::wire::{Connection, check_produced, produce_frame};
use anyhow::Result;

/// Each request carries one batch for each partition of the topic.
#[derive(Clone, Copy)]
pub struct Produce {
    pub batch_bytes: usize,
    pub value_bytes: usize,
    pub codec: Codec,
    pub acks: i16,
    pub partitions: i32,
    pub requests: usize,
    /// Requests that are sent before the first of them must be answered.
    pub window: usize,
    /// Requests before the measured ones.
    pub warm_up: usize,
}

pub fn run(load: &Produce, target: Target, topic: &str) -> Result<Outcome> {
    let batch = batch::build(load.batch_bytes, load.value_bytes, load.codec)?;
    let mut pipeline = Pipeline::new(target, topic, load.partitions, load.acks, load.window, &batch.bytes)?;
    pipeline.exchange(load.warm_up)?;
    let meter = Meter::start(target.pid)?;
    pipeline.exchange(load.requests)?;
    let usage = meter.stop()?;
    let batches = load.requests as u64 * load.partitions as u64;
    Ok(Outcome {
        records: batches * batch.records,
        value_bytes: batches * batch.value_bytes,
        usage,
        latencies_ns: Vec::new(),
    })
}

/// Fills each partition of `topic` with `batches` copies of `batch`, for loads that read.
pub fn fill(target: Target, topic: &str, partitions: i32, batch: &[u8], batches: usize) -> Result<()> {
    Pipeline::new(target, topic, partitions, -1, 16, batch)?.exchange(batches)
}

/// A window of prebuilt frames side by side in one block, sent several at a time where they are small.
struct Pipeline {
    connection: Connection,
    block: Vec<u8>,
    frame_bytes: usize,
    window: usize,
}

impl Pipeline {
    fn new(target: Target, topic: &str, partitions: i32, acks: i16, window: usize, batch: &[u8]) -> Result<Self> {
        let frames = (0..window).map(|id| produce_frame(id as i32, topic, partitions, acks, batch));
        let block = frames.collect::<Vec<_>>().concat();
        let frame_bytes = block.len() / window;
        Ok(Pipeline {
            connection: Connection::open(target.address)?,
            block,
            frame_bytes,
            window,
        })
    }

    /// Sends `requests` requests and returns when all of them are acknowledged.
    fn exchange(&mut self, requests: usize) -> Result<()> {
        let (mut sent, mut answered) = (0, 0);
        while answered < requests {
            let slot = sent % self.window;
            // A quarter of the window at a time: one system call for many small frames, and never an idle broker.
            let room = (self.window - (sent - answered)).min(requests - sent);
            if room > 0 && (room * 4 >= self.window || sent == answered) {
                let count = room.min(self.window - slot);
                self.connection
                    .send(&self.block[slot * self.frame_bytes..(slot + count) * self.frame_bytes])?;
                sent += count;
            } else {
                check_produced(self.connection.receive()?, (answered % self.window) as i32)?;
                answered += 1;
            }
        }
        Ok(())
    }
}
