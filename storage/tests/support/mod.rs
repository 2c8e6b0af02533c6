//! Batches and logs for tests.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use storage::{
    AppendInfo, Disk, Log, LogConfig, LogDirHealth, LogOptions, OnlyBatch, OpenFiles, RealDisk, TopicPartition,
    ValidateError, ValidateOptions, ValidatedBatch,
};

/// A directory that is removed when this goes.
pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("sordini-storage-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Checks what a Produce request of version 9 brings for a partition.
pub fn validate(records: Bytes, options: &ValidateOptions<'_>, now_ms: i64) -> Result<ValidatedBatch, ValidateError> {
    storage::validate(OnlyBatch::find(&records, 9)?, options, now_ms)
}

/// What a batch is made of.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub records: i32,
    pub value_size: usize,
    pub timestamp: i64,
    pub producer: (i64, i16, i32),
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            records: 1,
            value_size: 10,
            timestamp: 1000,
            producer: (-1, -1, -1),
        }
    }
}

fn put_varint(out: &mut BytesMut, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.put_u8(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.put_u8(zigzag as u8);
}

/// An uncompressed batch as a producer sends it.
pub fn batch(spec: Spec) -> Bytes {
    let mut records = BytesMut::new();
    for n in 0..spec.records {
        let mut record = BytesMut::new();
        record.put_u8(0);
        put_varint(&mut record, 0);
        put_varint(&mut record, n.into());
        put_varint(&mut record, 3);
        record.put_slice(b"key");
        put_varint(&mut record, spec.value_size as i64);
        record.put_bytes(b'v', spec.value_size);
        put_varint(&mut record, 0);
        put_varint(&mut records, record.len() as i64);
        records.put_slice(&record);
    }
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(spec.records - 1);
    checked.put_i64(spec.timestamp);
    checked.put_i64(spec.timestamp);
    checked.put_i64(spec.producer.0);
    checked.put_i16(spec.producer.1);
    checked.put_i32(spec.producer.2);
    checked.put_i32(spec.records);
    checked.put_slice(&records);
    let mut out = BytesMut::new();
    out.put_i64(0);
    out.put_i32(checked.len() as i32 + 9);
    out.put_i32(-1);
    out.put_u8(2);
    out.put_u32(crc_fast::crc32_iscsi(&checked));
    out.put_slice(&checked);
    out.freeze()
}

/// A batch as this log takes it.
pub fn validated(log: &Log, spec: Spec) -> ValidatedBatch {
    let (partition, config) = (log.partition().clone(), log.config().clone());
    let options = ValidateOptions {
        partition: &partition,
        config: &config,
    };
    validate(batch(spec), &options, spec.timestamp).unwrap()
}

/// Appends a batch at time 0.
pub fn append(log: &mut Log, spec: Spec, leader_epoch: i32) -> AppendInfo {
    let batch = validated(log, spec);
    log.append_as_leader(batch, leader_epoch, 0).unwrap()
}

/// What opening the log `topic-0` below `dir` takes.
pub fn options(disk: Arc<dyn Disk>, dir: &Path, config: LogConfig) -> LogOptions {
    LogOptions {
        partition: TopicPartition::new("topic", 0),
        dir: dir.join("topic-0"),
        topic_id: None,
        config: Arc::new(config),
        disk,
        open_files: OpenFiles::new(100),
        health: LogDirHealth::new(dir),
        log_start_offset: 0,
        recovery_point: 0,
        clean_shutdown: false,
    }
}

pub fn open(dir: &Path, config: LogConfig) -> Log {
    Log::open(options(Arc::new(RealDisk), dir, config), 0).unwrap()
}
