//! The rows of the table: which loads there are, and how large. Sizes are chosen so that a load lasts some seconds
//! and its data stays in the page cache of a machine with 8 GB.

use crate::batch::Codec;
use crate::loads::fetch::Fetch;
use crate::loads::java::JavaProduce;
use crate::loads::librdkafka::RdkafkaProduce;
use crate::loads::produce::Produce;

#[derive(Clone, Copy)]
pub enum Load {
    /// A broker of its own: start, idle memory, idle connections.
    FreshBroker {
        connections: usize,
    },
    Produce(Produce),
    OneInFlight {
        value_bytes: usize,
        records: usize,
    },
    /// The same bytes both ways, without a broker: what the machine's loopback alone takes.
    Echo {
        value_bytes: usize,
        records: usize,
    },
    PacedSockets(Paced),
    PacedRdkafka(Paced),
    RdkafkaProduce(RdkafkaProduce, i32),
    JavaProduce(JavaProduce, i32),
    Fetch(Fetch),
    RdkafkaConsume {
        partitions: i32,
    },
    JavaConsume {
        partitions: i32,
    },
}

#[derive(Clone, Copy)]
pub struct Paced {
    pub value_bytes: usize,
    pub per_second: u32,
    pub records: usize,
}

/// What «ahead of Kafka» and «not behind» mean for a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Process,
    Produce,
    Latency,
    /// Nothing of a broker's; without targets.
    Floor,
    Fetch,
}

#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    pub load: Load,
}

/// The row of memory under load: the largest figures while any load of a round ran.
pub const LOADED: &str = "memory under load";

impl Row {
    pub fn class(&self) -> Class {
        match self.load {
            Load::FreshBroker { .. } => Class::Process,
            Load::Produce(_) | Load::RdkafkaProduce(..) | Load::JavaProduce(..) => Class::Produce,
            Load::OneInFlight { .. } | Load::PacedSockets(_) | Load::PacedRdkafka(_) => Class::Latency,
            Load::Echo { .. } => Class::Floor,
            Load::Fetch(_) | Load::RdkafkaConsume { .. } | Load::JavaConsume { .. } => Class::Fetch,
        }
    }

    /// Partitions of the topic that the load needs.
    pub fn partitions(&self) -> i32 {
        match self.load {
            Load::Produce(load) => load.partitions,
            Load::Fetch(load) => load.partitions,
            Load::RdkafkaProduce(_, partitions) | Load::JavaProduce(_, partitions) => partitions,
            Load::RdkafkaConsume { partitions } | Load::JavaConsume { partitions } => partitions,
            Load::FreshBroker { .. }
            | Load::OneInFlight { .. }
            | Load::Echo { .. }
            | Load::PacedSockets(_)
            | Load::PacedRdkafka(_) => 1,
        }
    }
}

/// One partition, no compression, 1 KiB values; `megabytes` of batches are measured, a tenth more warms up.
const fn produce(batch_bytes: usize, acks: i16, megabytes: usize, window: usize) -> Produce {
    let requests = megabytes * 1_000_000 / batch_bytes;
    Produce {
        batch_bytes,
        value_bytes: 1024,
        codec: Codec::None,
        acks,
        partitions: 1,
        requests,
        window,
        warm_up: requests / 10,
    }
}

/// As many bytes as keep the brokers busy for a second or two.
const fn fetch(partition_max_bytes: i32, sessions: bool, partitions: i32) -> Load {
    let log_bytes = if partition_max_bytes < 1 << 20 {
        4_000_000_000
    } else {
        8_000_000_000
    };
    Load::Fetch(Fetch {
        partition_max_bytes,
        sessions,
        partitions,
        log_bytes,
    })
}

const fn rdkafka(compression: &'static str, partitions: i32) -> Load {
    Load::RdkafkaProduce(
        RdkafkaProduce {
            records: 600_000,
            value_bytes: 1024,
            compression,
        },
        partitions,
    )
}

const fn java(compression: &'static str, partitions: i32) -> Load {
    Load::JavaProduce(
        JavaProduce {
            records: 600_000,
            value_bytes: 1024,
            compression,
        },
        partitions,
    )
}

const MEGABYTE: usize = 1_000_000;
const PACED: Paced = Paced {
    value_bytes: 1024,
    per_second: 5_000,
    records: 15_000,
};
const LZ4: Produce = Produce {
    codec: Codec::Lz4,
    ..produce(MEGABYTE, 1, 1_000, 8)
};
const SIX: Produce = Produce {
    partitions: 6,
    requests: 8_000,
    warm_up: 800,
    window: 16,
    ..produce(16_384, 1, 0, 1)
};
const ONE_RECORD: Produce = Produce {
    batch_bytes: 1,
    value_bytes: 100,
    requests: 150_000,
    warm_up: 15_000,
    ..produce(1, 1, 0, 64)
};
/// A request holds one record for each of 1,000 partitions that nothing was written to before.
const WIDE: Produce = Produce {
    batch_bytes: 1,
    partitions: 1_000,
    requests: 40,
    warm_up: 0,
    ..produce(1, 1, 0, 4)
};

pub const ROWS: [Row; 29] = [
    Row {
        name: "fresh broker",
        load: Load::FreshBroker { connections: 2_000 },
    },
    Row {
        name: "produce 1 MB batches, acks=1",
        load: Load::Produce(produce(MEGABYTE, 1, 1_500, 8)),
    },
    Row {
        name: "produce 1 MB batches, acks=all",
        load: Load::Produce(produce(MEGABYTE, -1, 1_500, 8)),
    },
    Row {
        name: "produce 64 KB batches, acks=1",
        load: Load::Produce(produce(65_536, 1, 1_000, 32)),
    },
    Row {
        name: "produce 64 KB batches, acks=all",
        load: Load::Produce(produce(65_536, -1, 1_000, 32)),
    },
    Row {
        name: "produce 16 KB batches, acks=1",
        load: Load::Produce(produce(16_384, 1, 800, 64)),
    },
    Row {
        name: "produce 16 KB batches, acks=all",
        load: Load::Produce(produce(16_384, -1, 800, 64)),
    },
    Row {
        name: "produce 16 KB batches, 6 partitions",
        load: Load::Produce(SIX),
    },
    Row {
        name: "produce 1 MB batches, lz4",
        load: Load::Produce(LZ4),
    },
    Row {
        name: "produce one 100 B record a request",
        load: Load::Produce(ONE_RECORD),
    },
    Row {
        name: "produce across 1,000 partitions",
        load: Load::Produce(WIDE),
    },
    Row {
        name: "acknowledgement, one in flight",
        load: Load::OneInFlight {
            value_bytes: 100,
            records: 30_000,
        },
    },
    Row {
        name: "echo without a broker, one in flight",
        load: Load::Echo {
            value_bytes: 100,
            records: 30_000,
        },
    },
    Row {
        name: "5,000 records/s, sockets",
        load: Load::PacedSockets(PACED),
    },
    Row {
        name: "5,000 records/s, librdkafka, linger 0",
        load: Load::PacedRdkafka(PACED),
    },
    Row {
        name: "librdkafka producer 1 KiB",
        load: rdkafka("none", 1),
    },
    Row {
        name: "librdkafka producer 1 KiB, 6 partitions",
        load: rdkafka("none", 6),
    },
    Row {
        name: "librdkafka producer 1 KiB, lz4",
        load: rdkafka("lz4", 1),
    },
    Row {
        name: "Java producer 1 KiB",
        load: java("none", 1),
    },
    Row {
        name: "Java producer 1 KiB, 6 partitions",
        load: java("none", 6),
    },
    Row {
        name: "Java producer 1 KiB, lz4",
        load: java("lz4", 1),
    },
    Row {
        name: "fetch 64 KiB",
        load: fetch(64 << 10, false, 1),
    },
    Row {
        name: "fetch 64 KiB, session",
        load: fetch(64 << 10, true, 1),
    },
    Row {
        name: "fetch 1 MiB",
        load: fetch(1 << 20, false, 1),
    },
    Row {
        name: "fetch 1 MiB, session",
        load: fetch(1 << 20, true, 1),
    },
    Row {
        name: "fetch 1 MiB, session, 6 partitions",
        load: fetch(1 << 20, true, 6),
    },
    Row {
        name: "librdkafka consumer 1 KiB",
        load: Load::RdkafkaConsume { partitions: 1 },
    },
    Row {
        name: "Java consumer 1 KiB",
        load: Load::JavaConsume { partitions: 1 },
    },
    Row {
        name: "Java consumer 1 KiB, 6 partitions",
        load: Load::JavaConsume { partitions: 6 },
    },
];
