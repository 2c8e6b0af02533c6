//! Kafka's wire protocol: message tables, records, compression; pure.
