//! The hot requests allocate for their arrays and for nothing else.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::{Chunk, Message, Reader, Uuid, Writer};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator with the arguments that it came with.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator with this layout, by the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A frame as a connection has it: shared already.
fn shared(message: &impl Message, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version).unwrap();
    let bytes = writer.into_bytes().unwrap();
    let mut frame = bytes::BytesMut::from(&bytes[..]);
    frame.reserve(1);
    frame.split_to(bytes.len()).freeze()
}

fn allocations<M: Message + PartialEq + std::fmt::Debug>(expected: &M, version: i16) -> usize {
    let frame = shared(expected, version);
    let before = ALLOCATIONS.get();
    let decoded = M::decode(&mut Reader::new(frame), version).unwrap();
    let count = ALLOCATIONS.get() - before;
    assert_eq!(decoded, *expected);
    count
}

#[test]
fn decoding_allocates_one_vec_for_each_array() {
    let records = Some(Chunk::Memory(Bytes::from(vec![1; 4000])));
    let partition = |index| PartitionProduceData {
        index,
        records: records.clone(),
    };
    let topic = |name: &str| TopicProduceData {
        name: name.into(),
        partition_data: (0..4).map(partition).collect(),
        ..Default::default()
    };
    let produce = ProduceRequest {
        transactional_id: Some("t".into()),
        topic_data: ["a", "b", "c"].map(topic).into(),
        ..Default::default()
    };
    for version in [3, 9, 12] {
        assert_eq!(allocations(&produce, version), 1 + 3, "Produce v{version}");
    }

    let partition = |partition| FetchPartition {
        partition,
        ..Default::default()
    };
    let topic = |id| FetchTopic {
        topic_id: Uuid([id; 16]),
        partitions: (0..5).map(partition).collect(),
        ..Default::default()
    };
    let fetch = FetchRequest {
        topics: (1..4).map(topic).collect(),
        ..Default::default()
    };
    assert_eq!(allocations(&fetch, 17), 1 + 3, "Fetch v17");
}
