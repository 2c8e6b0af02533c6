//! Creating topics that a client asked for by using them. Kafka's `AutoTopicCreationManager`.

use controller::NewTopic;
use protocol::ErrorCode;

use crate::broker::Broker;
use crate::handlers::to_code::ToCode;
use crate::topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};

impl Broker {
    /// Creates topics with the broker's defaults, internal ones with their own. Returns those that could not be created.
    pub async fn auto_create_topics(&self, names: Vec<String>) -> Vec<(String, ErrorCode)> {
        let topics: Vec<NewTopic> = names.iter().map(|name| self.auto_topic(name)).collect();
        let answers = match self.controller.create_topics(topics, false).await {
            Ok(answers) => answers,
            Err(e) => {
                log::error!("creating topics {names:?} failed: {e}");
                return names.into_iter().map(|name| (name, e.to_code())).collect();
            }
        };
        let mut failed = Vec::new();
        for (name, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(created) => log::info!(
                    "created topic {name} with {} partitions on demand",
                    created.num_partitions
                ),
                Err(rejection) => {
                    log::info!("topic {name} was not created on demand: {rejection}");
                    let code = match rejection.to_code() {
                        // Another client was faster, and its topic is about to be served.
                        ErrorCode::TOPIC_ALREADY_EXISTS => ErrorCode::LEADER_NOT_AVAILABLE,
                        code => code,
                    };
                    failed.push((name, code));
                }
            }
        }
        failed
    }

    fn auto_topic(&self, name: &str) -> NewTopic {
        let config = &self.config;
        let alive = self.metadata.brokers().len();
        let own = |key: &str, value: &str| (key.to_string(), Some(value.to_string()));
        match name {
            CONSUMER_OFFSETS => NewTopic {
                name: name.to_string(),
                num_partitions: config.offsets_topic_num_partitions,
                replication_factor: i32::from(config.offsets_topic_replication_factor_for(alive)),
                configs: vec![
                    own("cleanup.policy", "compact"),
                    own("segment.bytes", &config.offsets_topic_segment_bytes.to_string()),
                    own("compression.type", "producer"),
                ],
                ..Default::default()
            },
            TRANSACTION_STATE => NewTopic {
                name: name.to_string(),
                num_partitions: config.transaction_state_log_num_partitions,
                replication_factor: i32::from(config.transaction_state_log_replication_factor_for(alive)),
                configs: vec![
                    own("cleanup.policy", "compact"),
                    own("segment.bytes", &config.transaction_state_log_segment_bytes.to_string()),
                    own("compression.type", "uncompressed"),
                    own("min.insync.replicas", &config.transaction_state_log_min_isr.to_string()),
                    own("unclean.leader.election.enable", "false"),
                ],
                ..Default::default()
            },
            _ => NewTopic {
                name: name.to_string(),
                num_partitions: config.num_partitions,
                replication_factor: config.default_replication_factor,
                ..Default::default()
            },
        }
    }
}
