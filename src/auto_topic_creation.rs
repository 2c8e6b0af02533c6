//! Creating topics that a client asked for by using them. Kafka's `AutoTopicCreationManager`.

use controller::NewTopic;
use protocol::ErrorCode;

use crate::broker::Broker;
use crate::handlers::to_code::ToCode;
use crate::topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};

/// The most names that one line of the log lists.
const LISTED_NAMES: usize = 10;

/// Names for a line of the log, which must not grow with what a client asks for.
fn listed(names: &[String]) -> String {
    let first = names.iter().take(LISTED_NAMES).map(String::as_str).collect::<Vec<_>>();
    let first = first.join(", ");
    match names.len().saturating_sub(LISTED_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Broker {
    /// Creates topics with the broker's defaults, internal ones with their own. Returns those that could not be created.
    pub async fn auto_create_topics(&self, names: Vec<String>) -> Vec<(String, ErrorCode)> {
        let topics: Vec<NewTopic> = names.iter().map(|name| self.auto_topic(name)).collect();
        let answers = match self.controller.create_topics(topics, false).await {
            Ok(answers) => answers,
            Err(e) => {
                log::error!("creating topics on demand failed for {}: {e}", listed(&names));
                return names.into_iter().map(|name| (name, e.to_code())).collect();
            }
        };
        let (mut created, mut refused, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (name, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(topic) => created.push(format!("{name} ({} partitions)", topic.num_partitions)),
                Err(rejection) => {
                    refused.push(format!("{name} ({rejection})"));
                    let code = match rejection.to_code() {
                        // Another client was faster, and its topic is about to be served.
                        ErrorCode::TOPIC_ALREADY_EXISTS => ErrorCode::LEADER_NOT_AVAILABLE,
                        code => code,
                    };
                    failed.push((name, code));
                }
            }
        }
        // One line each, however many names a client sends.
        if !created.is_empty() {
            log::info!("created on demand: {}", listed(&created));
        }
        if !refused.is_empty() {
            log::info!("not created on demand: {}", listed(&refused));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_lists_few_names() {
        let names = |count: i32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(&names(2)), "0, 1");
        assert_eq!(listed(&names(12)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }
}
