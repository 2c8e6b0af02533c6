//! Who watches which znode of the embedded store, and what they are told.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};

use crate::store::{WatchEvent, WatchKind, WatchMode, WatchStream, Watcher};

#[derive(Default)]
/// The watches of one session.
pub(crate) struct Watches {
    data: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
    children: HashMap<String, Vec<oneshot::Sender<WatchEvent>>>,
    staying: Vec<(String, WatchMode, mpsc::UnboundedSender<WatchEvent>)>,
}

impl Watches {
    pub fn data(&mut self, path: String) -> Watcher {
        watcher(self.data.entry(path.clone()).or_default(), path)
    }

    pub fn children(&mut self, path: String) -> Watcher {
        watcher(self.children.entry(path.clone()).or_default(), path)
    }

    pub fn stay(&mut self, path: String, mode: WatchMode) -> WatchStream {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.staying.push((path, mode, sender));
        WatchStream(receiver)
    }

    pub fn fire(&mut self, event: &WatchEvent) {
        let once = match event.kind {
            WatchKind::ChildrenChanged => [self.children.remove(&event.path), None],
            WatchKind::Deleted => [self.data.remove(&event.path), self.children.remove(&event.path)],
            _ => [self.data.remove(&event.path), None],
        };
        for sender in once.into_iter().flatten().flatten() {
            send(sender, event.clone());
        }
        self.staying.retain(|(path, mode, sender)| {
            let concerns = match mode {
                WatchMode::Persistent => event.path == *path,
                WatchMode::PersistentRecursive => {
                    event.kind != WatchKind::ChildrenChanged && is_at_or_below(&event.path, path)
                }
            };
            if concerns {
                sender.send(event.clone()).is_ok()
            } else {
                !sender.is_closed()
            }
        });
    }

    pub fn end(&mut self) {
        for (path, senders) in self.data.drain().chain(self.children.drain()) {
            for sender in senders {
                send(
                    sender,
                    WatchEvent {
                        kind: WatchKind::SessionEnded,
                        path: path.clone(),
                    },
                );
            }
        }
        self.staying.clear();
    }
}

fn watcher(senders: &mut Vec<oneshot::Sender<WatchEvent>>, path: String) -> Watcher {
    let (sender, receiver) = oneshot::channel();
    senders.retain(|sender| !sender.is_closed());
    senders.push(sender);
    let ended = WatchEvent {
        kind: WatchKind::SessionEnded,
        path,
    };
    Watcher(Box::pin(async move { receiver.await.unwrap_or(ended) }))
}

fn is_at_or_below(path: &str, root: &str) -> bool {
    root == "/"
        || path
            .strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whoever no longer waits does not need the event.
fn send(sender: oneshot::Sender<WatchEvent>, event: WatchEvent) {
    drop(sender.send(event));
}
