//! A table of every message, for tests that want all of them.

use std::any::Any;
use std::fmt::Debug;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::specimen::{Generator, Specimen, Stray};
use crate::api_key::ApiKey;
use crate::coordinator_records::{group, transaction};
use crate::messages::{consumer_protocol, control_records, default_principal_data, every_api};
use crate::wire::{Context, DecodeError, EncodeError, Message, Reader, Writer};

/// A message of any kind.
pub trait AnyMessage: Debug {
    /// [`Message::encode`].
    ///
    /// # Errors
    /// The same.
    fn encode_any(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// The message in Kafka's JSON.
    fn to_json_any(&self, version: i16) -> Value;

    /// Whether the other one is of the same kind and equal.
    fn equals(&self, other: &dyn AnyMessage) -> bool;

    /// For [`AnyMessage::equals`].
    fn as_any(&self) -> &dyn Any;
}

impl<M: Message + Specimen + PartialEq + Debug + 'static> AnyMessage for M {
    fn encode_any(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        self.encode(writer, version)
    }

    fn to_json_any(&self, version: i16) -> Value {
        self.to_json(Context::new(version, M::is_flexible(version)))
    }

    fn equals(&self, other: &dyn AnyMessage) -> bool {
        other.as_any().downcast_ref::<M>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A message, or why it is none.
pub type Decoded = Result<Box<dyn AnyMessage>, DecodeError>;

/// One kind of message.
#[derive(Clone)]
pub struct Kind {
    /// Kafka's name.
    pub name: &'static str,
    /// The key, unless it travels inside other messages or in records.
    pub api_key: Option<ApiKey>,
    /// Whether it is a request.
    pub is_request: bool,
    /// Every version.
    pub versions: RangeInclusive<i16>,
    /// [`Message::decode`].
    pub decode: fn(&mut Reader, i16) -> Decoded,
    /// A value for tests.
    pub specimen: fn(&mut Generator, i16) -> Box<dyn AnyMessage>,
    /// Everything at its default, with one element in every array of structures.
    pub defaults: fn(i16) -> Box<dyn AnyMessage>,
    /// Every field that a version lacks.
    pub strays: fn(i16) -> Vec<Stray>,
}

fn kind<M: Message + Specimen + Default + PartialEq + Debug + 'static>(
    api_key: Option<ApiKey>,
    is_request: bool,
) -> Kind {
    Kind {
        name: M::NAME,
        api_key,
        is_request,
        versions: M::VERSIONS,
        decode: |reader, version| Ok(Box::new(M::decode(reader, version)?)),
        specimen: |generator, version| Box::new(M::specimen(generator, Context::new(version, M::is_flexible(version)))),
        defaults: |version| {
            let mut message = M::default();
            message.deepen(Context::new(version, M::is_flexible(version)));
            Box::new(message)
        },
        strays: |version| {
            let mut found = Vec::new();
            M::strays(Context::new(version, M::is_flexible(version)), &mut found);
            found
        },
    }
}

macro_rules! api_kinds {
    ($($name:ident $module:ident $request:ident $response:ident;)*) => {
        vec![$(
            kind::<crate::messages::$module::$request>(Some(ApiKey::$name), true),
            kind::<crate::messages::$module::$response>(Some(ApiKey::$name), false),
        )*]
    };
}

/// Every message of this crate.
pub fn kinds() -> Vec<Kind> {
    let mut kinds = every_api!(api_kinds);
    kinds.extend([
        kind::<consumer_protocol::ConsumerProtocolSubscription>(None, false),
        kind::<consumer_protocol::ConsumerProtocolAssignment>(None, false),
        kind::<default_principal_data::DefaultPrincipalData>(None, false),
        kind::<control_records::ControlRecordTypeSchema>(None, false),
        kind::<control_records::EndTxnMarker>(None, false),
        kind::<control_records::LeaderChangeMessage>(None, false),
        kind::<control_records::SnapshotHeaderRecord>(None, false),
        kind::<control_records::SnapshotFooterRecord>(None, false),
        kind::<control_records::KRaftVersionRecord>(None, false),
        kind::<control_records::VotersRecord>(None, false),
        kind::<group::OffsetCommitKey>(None, false),
        kind::<group::OffsetCommitValue>(None, false),
        kind::<group::GroupMetadataKey>(None, false),
        kind::<group::GroupMetadataValue>(None, false),
        kind::<transaction::TransactionLogKey>(None, false),
        kind::<transaction::TransactionLogValue>(None, false),
    ]);
    kinds
}
