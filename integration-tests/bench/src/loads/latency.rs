//! Acknowledgement latency of single records over a plain socket.

use super::{Outcome, Target};
use crate::batch::{self, Batch, Codec};
use crate::rows::Paced;
use crate::usage::{Meter, Usage};
use crate::wire::{Connection, check_produced, produce_frame};
use anyhow::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Records before the measured ones.
const WARM_UP: usize = 2_000;

/// One record in flight: the next is sent when the one before is acknowledged.
pub fn one_in_flight(target: Target, topic: &str, value_bytes: usize, records: usize) -> Result<Outcome> {
    let batch = batch::build(1, value_bytes, Codec::None)?;
    let frame = produce_frame(0, topic, 1, 1, &batch.bytes);
    let mut connection = Connection::open(target.address)?;
    let mut round_trip = || -> Result<u64> {
        let sent = Instant::now();
        connection.send(&frame)?;
        check_produced(connection.receive()?, 0)?;
        Ok(sent.elapsed().as_nanos() as u64)
    };
    for _ in 0..WARM_UP {
        round_trip()?;
    }
    let meter = Meter::start(target.pid)?;
    let latencies_ns = (0..records).map(|_| round_trip()).collect::<Result<Vec<_>>>()?;
    Ok(outcome(&batch, meter.stop()?, latencies_ns))
}

/// What a broker's answer to one record has, its size included.
const ANSWER_BYTES: usize = 62;

/// As [`one_in_flight`], with a thread that does nothing but answer.
pub fn echo(target: Target, value_bytes: usize, records: usize) -> Result<Outcome> {
    let batch = batch::build(1, value_bytes, Codec::None)?;
    let frame = produce_frame(0, "echo", 1, 1, &batch.bytes);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut asking = TcpStream::connect(listener.local_addr()?)?;
    asking.set_nodelay(true)?;
    let length = frame.len();
    let answering = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut request = vec![0; length];
        while stream.read_exact(&mut request).is_ok() {
            stream.write_all(&[0; ANSWER_BYTES])?;
        }
        Ok(())
    });
    let mut round_trip = || -> Result<u64> {
        let sent = Instant::now();
        asking.write_all(&frame)?;
        asking.read_exact(&mut [0; ANSWER_BYTES])?;
        Ok(sent.elapsed().as_nanos() as u64)
    };
    for _ in 0..WARM_UP {
        round_trip()?;
    }
    let meter = Meter::start(target.pid)?;
    let latencies_ns = (0..records).map(|_| round_trip()).collect::<Result<Vec<_>>>()?;
    let usage = meter.stop()?;
    drop(asking);
    answering.join().expect("the answering thread does not panic")?;
    Ok(outcome(&batch, usage, latencies_ns))
}

/// One record a request at an even rate, whether or not answers have come. Latency counts from the moment a record
/// was due, so that a stall is charged to every record that it delayed.
pub fn paced(load: &Paced, target: Target, topic: &str) -> Result<Outcome> {
    let batch = batch::build(1, load.value_bytes, Codec::None)?;
    let frame = produce_frame(0, topic, 1, 1, &batch.bytes);
    let mut sender = Connection::open(target.address)?;
    let mut receiver = sender.share()?;
    let interval = Duration::from_secs(1) / load.per_second;
    let total = WARM_UP + load.records;
    let start = Instant::now() + Duration::from_millis(50);
    let due = move |record: usize| start + interval * record as u32;

    let sending = std::thread::spawn(move || -> Result<()> {
        sleep_precisely()?;
        for record in 0..total {
            std::thread::sleep(due(record).saturating_duration_since(Instant::now()));
            sender.send(&frame)?;
        }
        Ok(())
    });
    let mut receive = |record: usize| -> Result<u64> {
        check_produced(receiver.receive()?, 0)?;
        Ok(due(record).elapsed().as_nanos() as u64)
    };
    for record in 0..WARM_UP {
        receive(record)?;
    }
    let meter = Meter::start(target.pid)?;
    let latencies_ns = (WARM_UP..total).map(&mut receive).collect::<Result<Vec<_>>>()?;
    let usage = meter.stop()?;
    sending.join().expect("the sender does not panic")?;
    Ok(outcome(&batch, usage, latencies_ns))
}

/// Without it the kernel may end each sleep 50 µs late, which would be in every latency.
pub fn sleep_precisely() -> Result<()> {
    Ok(rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?)
}

fn outcome(batch: &Batch, usage: Usage, latencies_ns: Vec<u64>) -> Outcome {
    let records = latencies_ns.len() as u64;
    Outcome {
        records,
        value_bytes: records * batch.value_bytes,
        usage,
        latencies_ns,
    }
}
