//! Starts real brokers (Sordini, Apache Kafka) and real clients for the tests of this crate.
