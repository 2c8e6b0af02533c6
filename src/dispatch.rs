//! From a frame to the handler of its key: header, version check, decode, start; and from the handler's answer to a frame.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Buf;
use protocol::header::{RequestHeader, ResponseHeader};
use protocol::wire::{Message, Reader, Utf8Bytes, Writer};
use protocol::{ApiKey, DecodeError};

use crate::broker::Broker;
use crate::handlers;
use crate::network::{Answer, ConnectionState, Frame, Order, RequestPermit, Service, Started, memory_bytes};

/// Room that most answers fit into.
const ANSWER_BYTES: usize = 256;

/// All that a handler may want to know of a request besides its body.
pub struct RequestContext {
    /// The key.
    pub api_key: ApiKey,
    /// The request's version: one that the handler serves.
    pub version: i16,
    /// Returned with the answer.
    pub correlation_id: i32,
    /// `client.id`; `None` when null.
    pub client_id: Option<Utf8Bytes>,
    /// The connection it came by.
    pub connection: Arc<ConnectionState>,
    /// The request's share of the request memory. A handler that keeps the request waiting copies what it needs, drops the
    /// request and releases this.
    pub request_memory: RequestPermit,
}

/// How many partitions one request may name.
const MAX_PARTITIONS_NAMED: usize = 200_000;

impl RequestContext {
    /// `client.id` for a log line or a member id; empty when null.
    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or("")
    }

    /// Whose the request is, for a log line.
    pub fn client_ip(&self) -> IpAddr {
        self.connection.peer.ip()
    }

    /// Whether a request names more partitions than a broker can hold, which says so: what would be made of them does not come out of
    /// the request's share of memory.
    pub fn names_too_many(&self, partitions: usize) -> bool {
        let too_many = partitions > MAX_PARTITIONS_NAMED;
        if too_many {
            log::warn!(
                client:% = self.client_ip();
                "closing the connection of {} (client {:?}): {:?} v{} names {partitions} partitions, more than {MAX_PARTITIONS_NAMED}",
                self.connection.peer.ip(),
                self.client_id(),
                self.api_key,
                self.version,
            );
        }
        too_many
    }

    /// The name of the listener that the request came by.
    pub fn listener(&self) -> &str {
        &self.connection.listener
    }
}

/// One key that this broker serves: the only place that states its versions.
pub struct Served {
    /// The key.
    pub key: ApiKey,
    /// The lowest version served.
    pub min: i16,
    /// The highest version served.
    pub max: i16,
    /// The lowest version that ApiVersions lists; differs from `min` for Produce alone.
    pub listed_min: i16,
    /// Decodes the body and starts the request.
    pub start: fn(&Arc<Broker>, RequestContext, Reader) -> Result<Started, DecodeError>,
}

/// Declares what a handler file serves: `served!(Metadata, 0..=12, handle)` for an
/// `async fn handle(&Arc<Broker>, &RequestContext, MetadataRequest) -> MetadataResponse`.
macro_rules! served {
    ($key:ident, $min:literal..=$max:literal, $handle:path) => {
        $crate::dispatch::Served {
            key: protocol::ApiKey::$key,
            min: $min,
            max: $max,
            listed_min: $min,
            start: |broker, context, mut reader| {
                let request = protocol::wire::Message::decode(&mut reader, context.version)?;
                let broker = broker.clone();
                Ok($crate::network::Started::Running(Box::pin(async move {
                    let response = $handle(&broker, &context, request).await;
                    $crate::dispatch::answer(&context, &response)
                })))
            },
        }
    };
}
pub(crate) use served;

/// Encodes a response into a frame.
pub fn answer<M: Message>(context: &RequestContext, response: &M) -> Answer {
    answer_in_version(context, response, context.version)
}

/// Encodes a response in another version than the request's: ApiVersions answers an unknown version in version 0.
pub fn answer_in_version<M: Message>(context: &RequestContext, response: &M, version: i16) -> Answer {
    let mut writer = Writer::frame(ANSWER_BYTES);
    let header = ResponseHeader {
        correlation_id: context.correlation_id,
    };
    let encoded = header
        .encode(&mut writer, context.api_key.response_header_version(version))
        .and_then(|()| response.encode(&mut writer, version))
        .and_then(|()| writer.into_frame());
    match encoded {
        Ok(chunks) => {
            let share = context.connection.hold_answer(memory_bytes(&chunks));
            Answer::Send(chunks, share)
        }
        Err(e) => {
            log::error!(
                client:% = context.client_ip();
               "closing the connection of {}: the answer to {:?} v{version} cannot be encoded: {e}",
                context.connection.peer.ip(),
                context.api_key,
            );
            Answer::Close
        }
    }
}

impl Service for Broker {
    fn order(&self, frame: &Frame) -> Order {
        match frame.bytes.first_chunk::<2>() {
            Some(&[0, 0 | 1]) => Order::Overlaps,
            _ => Order::Barrier,
        }
    }

    fn start(self: &Arc<Self>, connection: &Arc<ConnectionState>, frame: &Frame) -> Started {
        match start(self, connection, frame) {
            Ok(started) => started,
            Err(refused) => {
                log::warn!(
                    client:% = connection.peer.ip();
                   "closing the connection of {} (client {:?}, {}): {refused}",
                    connection.peer.ip(),
                    refused.client_id,
                    connection.software_line(),
                );
                Started::Ready(Answer::Close)
            }
        }
    }
}

/// Why a frame is answered by closing its connection.
struct Refused {
    client_id: String,
    reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

fn start(broker: &Arc<Broker>, connection: &Arc<ConnectionState>, frame: &Frame) -> Result<Started, Refused> {
    let refuse = |reason| Refused {
        client_id: client_id_of(frame),
        reason,
    };
    if frame.bytes.len() < 4 {
        return Err(refuse(format!(
            "a request of {} bytes has no header",
            frame.bytes.len()
        )));
    }
    let mut numbers = frame.bytes.slice(..4);
    let (key, version) = (numbers.get_i16(), numbers.get_i16());
    // Key and version first: what is not offered need not have a header that can be read.
    let Ok(api_key) = ApiKey::try_from(key) else {
        return Err(refuse(format!(
            "there is no request with key {key} (version {version})"
        )));
    };
    let Some(served) = handlers::served(api_key, broker.controller.is_cluster()) else {
        return Err(refuse(format!(
            "{api_key:?} (key {key}), version {version}, is not offered"
        )));
    };
    let is_offered = (served.min..=served.max).contains(&version);
    if !is_offered && api_key != ApiKey::ApiVersions {
        return Err(refuse(format!(
            "{api_key:?} (key {key}), version {version}, is not offered: {} to {} are",
            served.min, served.max
        )));
    }
    let mut reader = Reader::new(frame.bytes.clone());
    let header = RequestHeader::decode(&mut reader, api_key.request_header_version(version))
        .map_err(|e| refuse(format!("the header of a {api_key:?} request, version {version}: {e}")))?;
    let context = RequestContext {
        api_key,
        version,
        correlation_id: header.correlation_id,
        // A request may be parked for long: a slice would keep its whole frame.
        client_id: header.client_id.as_ref().map(Utf8Bytes::detached),
        connection: connection.clone(),
        request_memory: frame.permit.clone(),
    };
    if !is_offered {
        return Ok(Started::Ready(handlers::api_versions::unsupported_version(&context)));
    }
    (served.start)(broker, context, reader)
        .map_err(|e| refuse(format!("a {api_key:?} request, version {version}, cannot be read: {e}")))
}

/// What the client of a refused request calls itself, where headers have it; empty if this one ends before.
fn client_id_of(frame: &Frame) -> String {
    let header = RequestHeader::decode(&mut Reader::new(frame.bytes.clone()), 1);
    let client_id = header.ok().and_then(|header| header.client_id);
    client_id.as_deref().unwrap_or("").to_string()
}
