//! Creating topics that a client asked for by using them. Kafka's `AutoTopicCreationManager`.

use std::net::IpAddr;

use controller::NewTopic;
use controller::limits::MAX_PARTITIONS_PER_REQUEST;
use protocol::ErrorCode;

use crate::broker::Broker;
use crate::handlers::to_code::ToCode;
use crate::logging::listed;
use crate::topics::{CONSUMER_OFFSETS, TRANSACTION_STATE};

/// How many partitions are created in one go: what others ask the controller for comes between two of them.
const PORTION_PARTITIONS: usize = 1_000;

/// What the lines of the log will list.
#[derive(Default)]
struct Told {
    created: Vec<String>,
    refused: Vec<String>,
}

/// What is created now of these topics, each with so many partitions, in portions; and what is left for another request.
fn portions(mut names: Vec<String>, num_partitions: i32) -> (Vec<Vec<String>>, Vec<String>) {
    let topics_in = |partitions: usize| (partitions / usize::try_from(num_partitions).unwrap_or(1).max(1)).max(1);
    let left = names.split_off(topics_in(MAX_PARTITIONS_PER_REQUEST).min(names.len()));
    let portions = names.chunks(topics_in(PORTION_PARTITIONS)).map(<[String]>::to_vec);
    (portions.collect(), left)
}

impl Broker {
    /// Creates topics with the broker's defaults, internal ones with their own. Returns those that could not be created, and
    /// those that are too many for one request: the client, who asked by this, asks again.
    pub async fn auto_create_topics(&self, names: Vec<String>, client: IpAddr) -> Vec<(String, ErrorCode)> {
        let (portions, left) = portions(names, self.config.num_partitions);
        let mut told = Told::default();
        let mut failed = Vec::new();
        for portion in portions {
            failed.extend(self.create_portion(portion, client, &mut told).await);
        }
        // One line each, however many names a client sends.
        if !told.created.is_empty() {
            log::info!(client:% = client; "created on demand: {}", listed(&told.created, String::clone));
        }
        if !told.refused.is_empty() {
            log::info!(client:% = client; "not created on demand: {}", listed(&told.refused, String::clone));
        }
        if !left.is_empty() {
            log::info!(
                client:% = client;
                "left for the next request to create on demand: {}",
                listed(&left, String::clone)
            );
        }
        failed.extend(left.into_iter().map(|name| (name, ErrorCode::LEADER_NOT_AVAILABLE)));
        failed
    }

    async fn create_portion(&self, names: Vec<String>, client: IpAddr, told: &mut Told) -> Vec<(String, ErrorCode)> {
        let topics: Vec<NewTopic> = names.iter().map(|name| self.auto_topic(name)).collect();
        let answers = match self.to_controller.create_topics(topics).await {
            Ok(answers) => answers,
            Err(e) => {
                log::error!(
                    client:% = client;
                    "creating topics on demand failed for {}: {e}",
                    listed(&names, String::clone)
                );
                let code = match e.to_code() {
                    // No client looks for the controller by itself where it only asked for metadata.
                    ErrorCode::NOT_CONTROLLER | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::LEADER_NOT_AVAILABLE,
                    code => code,
                };
                return names.into_iter().map(|name| (name, code)).collect();
            }
        };
        let mut failed = Vec::new();
        for (name, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(num_partitions) => told.created.push(format!("{name} ({num_partitions} partitions)")),
                Err(refused) => {
                    told.refused.push(format!("{name} ({})", refused.message));
                    let code = match refused.code {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: i32) -> Vec<String> {
        (0..count).map(|n| n.to_string()).collect()
    }

    #[test]
    fn many_topics_are_created_in_portions_and_no_more_than_a_request_may_create() {
        let sizes = |count, num_partitions| {
            let (portions, left) = portions(names(count), num_partitions);
            assert_eq!([portions.concat(), left.clone()].concat(), names(count), "in order");
            let sizes: Vec<usize> = portions.iter().map(Vec::len).collect();
            (sizes, left.len())
        };
        assert_eq!(sizes(0, 1), (vec![], 0));
        assert_eq!(sizes(1, 1), (vec![1], 0));
        assert_eq!(sizes(2_500, 1), (vec![1_000, 1_000, 500], 0));
        assert_eq!(sizes(700, 3), (vec![333, 333, 34], 0));
        assert_eq!(sizes(200_000, 1), (vec![1_000; 10], 190_000));
        // A topic is created whole, and the controller says whether it may be.
        assert_eq!(sizes(3, 4_000), (vec![1, 1], 1));
        assert_eq!(sizes(2, 20_000), (vec![1], 1));
    }
}
