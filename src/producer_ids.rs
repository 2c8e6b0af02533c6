//! Producer ids for idempotent producers: handed out one by one from blocks that the controller allocates. Kafka's
//! `ProducerIdManager`. The next block is fetched before the current one is used up, so that producers rarely wait for it.

use std::sync::Arc;

use controller::ProducerIdBlock;
use parking_lot::Mutex;

use crate::inter_broker::{AskError, ToController};

/// How many ids may be left when the next block is fetched: a tenth of a block, as in Kafka.
const PREFETCH_BELOW: i64 = 100;

/// Hands out producer ids. No id is handed out twice; those of a block that was not used up are lost at a restart.
#[derive(Default)]
pub struct ProducerIds {
    blocks: Arc<Blocks>,
}

#[derive(Default)]
struct Blocks {
    left: Mutex<Left>,
    /// Held while a block is asked for, so that one is asked for at a time.
    fetching: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    /// The next producer id.
    ///
    /// # Errors
    /// What the controller said when it was asked for a block.
    pub async fn next(&self, controller: &Arc<ToController>) -> Result<i64, AskError> {
        loop {
            let (id, is_low) = {
                let mut left = self.blocks.left.lock();
                (left.take(), left.is_low())
            };
            match id {
                Some(id) => {
                    if is_low {
                        self.prefetch(controller);
                    }
                    return Ok(id);
                }
                None => self.blocks.fetch(controller, 1).await?,
            }
        }
    }

    fn prefetch(&self, controller: &Arc<ToController>) {
        let (blocks, controller) = (self.blocks.clone(), controller.clone());
        tokio::spawn(async move {
            if let Err(e) = blocks.fetch(&controller, PREFETCH_BELOW).await {
                log::warn!("the next block of producer ids could not be fetched ahead of time: {e}");
            }
        });
    }
}

impl Blocks {
    /// Fetches a block, unless somebody else has: nothing is asked for while at least `enough` ids are left.
    async fn fetch(&self, controller: &Arc<ToController>, enough: i64) -> Result<(), AskError> {
        let _one_at_a_time = self.fetching.lock().await;
        if self.left.lock().count() >= enough {
            return Ok(());
        }
        let block = controller.allocate_producer_id_block().await?;
        log::info!("producer ids {} to {} are this broker's now", block.first, block.last);
        self.left.lock().add(block);
        Ok(())
    }
}

/// Ids that are allocated and not yet handed out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    current: Option<ProducerIdBlock>,
    next: Option<ProducerIdBlock>,
}

impl Left {
    fn take(&mut self) -> Option<i64> {
        let block = match self.current {
            Some(block) => block,
            None => self.next.take()?,
        };
        self.current = (block.first < block.last).then_some(ProducerIdBlock {
            first: block.first + 1,
            last: block.last,
        });
        Some(block.first)
    }

    fn add(&mut self, block: ProducerIdBlock) {
        match self.current {
            None => self.current = Some(block),
            Some(_) => self.next = Some(block),
        }
    }

    fn count(&self) -> i64 {
        let blocks = self.current.iter().chain(&self.next);
        blocks.map(|block| block.last - block.first + 1).sum()
    }

    fn is_low(&self) -> bool {
        self.count() < PREFETCH_BELOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_blocks_come_once_each_and_in_order() {
        let mut left = Left::default();
        assert_eq!(left.take(), None);
        left.add(ProducerIdBlock {
            first: 1000,
            last: 1001,
        });
        left.add(ProducerIdBlock {
            first: 5000,
            last: 5000,
        });
        assert_eq!(left.count(), 3);
        assert_eq!(
            [left.take(), left.take(), left.take(), left.take()],
            [Some(1000), Some(1001), Some(5000), None]
        );
        assert_eq!(left, Left::default());
    }

    #[test]
    fn the_next_block_is_due_when_a_tenth_is_left() {
        let mut left = Left::default();
        left.add(ProducerIdBlock { first: 0, last: 999 });
        for _ in 0..900 {
            left.take();
        }
        assert!(!left.is_low());
        left.take();
        assert!(left.is_low());
        left.add(ProducerIdBlock {
            first: 1000,
            last: 1999,
        });
        assert!(!left.is_low());
    }
}
