//! Kafka's configuration keys: types, defaults, ranges, sources; pure.
//!
//! [`BrokerConfig`] is what the broker runs with, [`TopicConfig`] what one topic has; [`keys`] lists every key that Apache
//! Kafka 3.9 knows.

mod broker;
mod definition;
mod describe;
mod error;
pub mod keys;
mod listener;
mod load;
pub mod metadata_version;
pub mod sources;
pub mod synonyms;
mod topic;
mod typed;
mod validate;
mod value;
mod zookeeper;

pub use broker::{BrokerConfig, ConfigSource, ConfigValue};
pub use definition::{Applies, Definition, Importance, UpdateMode, Valid, ValueType};
pub use describe::{ConfigEntry, ConfigSynonym};
pub use error::{ConfigError, Origin};
pub use listener::{AdvertisedListener, Listener, SecurityProtocol};
pub use load::{Entry, Loaded, Refused, Strictness, load, load_parsed};
pub use topic::{CleanupPolicy, CompressionType, InvalidTopicConfig, MessageTimestampType, TopicConfig, TopicDefaults};
pub use value::{HIDDEN, InvalidValue, Value};
