//! Between the words of the `zookeeper-client` crate and those of the store.

use zookeeper_client as zk;

use crate::store::{ANY_VERSION, CreateMode, Op, OpResult, Stat, StoreError};

/// Whether nobody knows what became of what was under way: the connection broke, or an answer could not be understood. The
/// errors of the crate may grow: what is not known to have changed nothing may have changed something.
pub(super) fn is_uncertain(error: &zk::Error) -> bool {
    !matches!(
        error,
        zk::Error::NoNode
            | zk::Error::NodeExists
            | zk::Error::NotEmpty
            | zk::Error::NoChildrenForEphemerals
            | zk::Error::BadVersion
            | zk::Error::BadArguments(_)
            | zk::Error::NoAuth
            | zk::Error::InvalidAcl
            | zk::Error::QuotaExceeded
            | zk::Error::Throttled
            | zk::Error::NotReadOnly
            | zk::Error::Unimplemented
            | zk::Error::MarshallingError
    ) && !is_over(error)
}

/// Whether the session is over: its ephemeral znodes are gone or about to go, and every later call fails.
fn is_over(error: &zk::Error) -> bool {
    matches!(
        error,
        zk::Error::NoHosts
            | zk::Error::AuthFailed
            | zk::Error::SessionExpired
            | zk::Error::SessionMoved
            | zk::Error::ClientClosed
    )
}

pub(super) fn create_mode(mode: CreateMode) -> zk::CreateMode {
    match mode {
        CreateMode::Persistent => zk::CreateMode::Persistent,
        CreateMode::PersistentSequential => zk::CreateMode::PersistentSequential,
        CreateMode::Ephemeral => zk::CreateMode::Ephemeral,
        CreateMode::EphemeralSequential => zk::CreateMode::EphemeralSequential,
    }
}

pub(super) fn expected(version: i32) -> Option<i32> {
    (version != ANY_VERSION).then_some(version)
}

pub(super) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

pub(super) fn stat(stat: zk::Stat) -> Stat {
    Stat {
        czxid: stat.czxid,
        mzxid: stat.mzxid,
        pzxid: stat.pzxid,
        ctime_ms: stat.ctime,
        mtime_ms: stat.mtime,
        version: stat.version,
        cversion: stat.cversion,
        ephemeral_owner: stat.ephemeral_owner,
        data_length: stat.data_length,
        num_children: stat.num_children,
    }
}

pub(super) fn result(result: zk::MultiWriteResult) -> OpResult {
    match result {
        zk::MultiWriteResult::Create { path, stat: created } => OpResult::Created {
            path,
            stat: (!created.is_invalid()).then(|| stat(created)),
        },
        zk::MultiWriteResult::SetData { stat: set } => OpResult::Set(stat(set)),
        zk::MultiWriteResult::Delete => OpResult::Deleted,
        zk::MultiWriteResult::Check => OpResult::Checked,
        other => unreachable!("a write was answered with {other:?}"),
    }
}

/// The error of one operation of a multi.
pub(super) fn error_of(op: Option<&Op>, found: zk::Error) -> StoreError {
    match (op, found) {
        (
            Some(Op::Set { path, version, .. } | Op::Delete { path, version } | Op::Check { path, version }),
            zk::Error::BadVersion,
        ) => StoreError::BadVersion {
            path: path.clone(),
            expected: *version,
        },
        (op, found) => error(op.map_or("/", Op::path), found),
    }
}

pub(super) fn error(path: &str, error: zk::Error) -> StoreError {
    let path = || path.to_owned();
    match error {
        zk::Error::NoNode => StoreError::NoNode { path: path() },
        zk::Error::NodeExists => StoreError::NodeExists { path: path() },
        zk::Error::NotEmpty => StoreError::NotEmpty { path: path() },
        zk::Error::NoChildrenForEphemerals => StoreError::NoChildrenForEphemerals { path: path() },
        zk::Error::BadArguments(_) => StoreError::BadArguments { path: path() },
        zk::Error::NoAuth | zk::Error::InvalidAcl => StoreError::NoAuth { path: path() },
        over if is_over(&over) => StoreError::SessionEnded,
        uncertain if is_uncertain(&uncertain) => StoreError::Unknown {
            reason: uncertain.to_string(),
        },
        other => StoreError::Refused {
            path: path(),
            reason: other.to_string(),
        },
    }
}

/// As a transaction of this one operation would say it; what is wrong with the session is not wrong with the operation.
pub(super) fn of_one(error: StoreError) -> StoreError {
    match error {
        StoreError::Unknown { .. } | StoreError::SessionEnded => error,
        error => StoreError::Multi {
            index: 0,
            error: Box::new(error),
        },
    }
}

/// Only its text tells the number: 16 hexadecimal digits of the two's complement.
pub(super) fn session_id(client: &zk::Client) -> i64 {
    let text = client.session_id().to_string();
    let digits = text.trim_start_matches("0x");
    // 0 would stand for no session, which owns every persistent znode.
    u64::from_str_radix(digits, 16).expect("hexadecimal digits") as i64
}
