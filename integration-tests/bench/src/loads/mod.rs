//! The loads. Each runs against one broker and tells what it moved and what that cost.

pub mod connections;
pub mod fetch;
pub mod java;
pub mod latency;
pub mod librdkafka;
pub mod produce;

use crate::usage::Usage;
use std::net::SocketAddr;

/// The broker under load.
#[derive(Clone, Copy)]
pub struct Target {
    pub address: SocketAddr,
    pub pid: u32,
}

/// What a load moved while it was measured.
pub struct Outcome {
    pub records: u64,
    /// Bytes of records' values before compression.
    pub value_bytes: u64,
    pub usage: Usage,
    /// Nanoseconds from a record's due time to its acknowledgement, where the load is about that.
    pub latencies_ns: Vec<u64>,
}
