//! Before a broker of a cluster stops, others lead what it leads (Kafka's `KafkaServer.controlledShutdown`): so clients find the new
//! leaders at once.

use std::time::Duration;

use crate::broker::Broker;

impl Broker {
    /// Hands over what this broker leads, as far as others can lead it. It still serves meanwhile.
    pub async fn hand_over(&self) {
        let config = &self.config;
        let others = self
            .metadata
            .brokers()
            .iter()
            .any(|broker| broker.registration.id != self.id);
        if !self.controller.is_cluster() || !config.controlled_shutdown_enable || !others {
            return;
        }
        let retries = usize::try_from(config.controlled_shutdown_max_retries).unwrap_or(0);
        let backoff = Duration::from_millis(u64::try_from(config.controlled_shutdown_retry_backoff_ms).unwrap_or(0));
        for attempt in 0..=retries {
            if attempt > 0 {
                tokio::time::sleep(backoff).await;
            }
            match self.to_controller.controlled_shutdown().await {
                Ok(0) => return log::info!("other brokers lead what this one has led"),
                Ok(remaining) => {
                    log::info!("{remaining} partitions remain with this broker, as no other replica can lead them");
                }
                Err(error) => log::warn!("the controller did not hand over what this broker leads: {error}"),
            }
        }
        log::warn!("this broker stops while it leads partitions");
    }
}
