//! Records of formats 0 and 1, from before 0.11. This version can neither read nor convert them; it recognizes them, so that they are
//! refused and not taken for garbage.
//!
//! A message: offset (8), size of what follows (4), CRC-32 of all behind it (4), magic (1), attributes (1), in format 1 a timestamp
//! (8), key and value, each with its length (4).

use std::io;
use std::path::PathBuf;

use crc_fast::{CrcAlgorithm, Digest};
use protocol::records::{LOG_OVERHEAD, Prefix};

use crate::disk::LogFile;
use crate::scan::{Located, ReadMode};

/// A whole message of format 0 or 1, its checksum right, where only format 2 can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} holds records of an old format (magic {magic}) at byte {position}; formats before magic 2 are not supported yet",
    file.display()
)]
pub struct OldRecordFormat {
    /// The segment's file.
    pub file: PathBuf,
    /// Where in it the message begins.
    pub position: u64,
    /// Its format: 0 or 1.
    pub magic: i8,
}

impl OldRecordFormat {
    /// What an I/O error of a scan says about it, if that is what it is about.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Bytes behind the size field of a message without key and value: checksum, magic, attributes, two lengths.
const MIN_SIZE: [i32; 2] = [14, 22];
/// Where the checksummed part begins; the checksum stands right before it.
const CHECKED_FROM: usize = 16;
/// How much is read at once.
const CHUNK: u64 = 64 * 1024;

/// `Err` where a whole message of an old format lies at `position`, before `end`. What is torn or damaged is none.
pub(crate) fn refuse(
    place: &dyn Located,
    file: &dyn LogFile,
    mode: ReadMode,
    position: u64,
    end: u64,
) -> io::Result<()> {
    if position + Prefix::SIZE as u64 > end {
        return Ok(());
    }
    let mut head = [0; Prefix::SIZE];
    let read = mode.pread(file, &mut head, position)?;
    let Some(Prefix {
        batch_length, magic, ..
    }) = Prefix::parse(&head[..read])
    else {
        return Ok(());
    };
    let min_size = usize::try_from(magic).ok().and_then(|magic| MIN_SIZE.get(magic));
    let message_end = position + LOG_OVERHEAD as u64 + u64::try_from(batch_length).unwrap_or(0);
    if min_size.is_none_or(|min_size| batch_length < *min_size) || message_end > end {
        return Ok(());
    }
    let computed = checksum(file, mode, position + CHECKED_FROM as u64, message_end)?;
    if computed.is_none_or(|crc| crc.to_be_bytes() != head[LOG_OVERHEAD..CHECKED_FROM]) {
        return Ok(());
    }
    let file = place.path();
    let found = OldRecordFormat { file, position, magic };
    Err(io::Error::new(io::ErrorKind::Unsupported, found))
}

/// The CRC-32 of a range; `None` where the file ends before it does.
fn checksum(file: &dyn LogFile, mode: ReadMode, mut from: u64, end: u64) -> io::Result<Option<u32>> {
    let mut digest = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
    let mut chunk = vec![0; CHUNK.min(end - from) as usize];
    while from < end {
        let wanted = chunk.len().min((end - from) as usize);
        if mode.pread(file, &mut chunk[..wanted], from)? < wanted {
            return Ok(None);
        }
        digest.update(&chunk[..wanted]);
        from += wanted as u64;
    }
    Ok(Some(digest.finalize() as u32))
}
