//! Nodes that an anchor (`&name`) names, kept for the aliases (`*name`) that stand for them.

use std::collections::HashMap;

use saphyr_parser::Event;

/// How many events aliases may stand for in a file, all together: nine lines of lists of aliases would stand for billions.
const MAX_REPEATED: usize = 10_000;
/// How many anchored nodes may lie within each other.
const MAX_OPEN: usize = 8;
/// What the parser gives a node without an anchor.
const NONE: usize = 0;

/// A node that has begun.
#[derive(Debug)]
struct Node<'a> {
    anchor: usize,
    /// How many of its mappings and lists are open.
    depth: usize,
    events: Vec<Event<'a>>,
}

/// What has been read of a file's anchored nodes.
#[derive(Debug, Default)]
pub(super) struct Anchors<'a> {
    /// The outermost first.
    open: Vec<Node<'a>>,
    known: HashMap<usize, Vec<Event<'a>>>,
    repeated: usize,
}

impl<'a> Anchors<'a> {
    /// Takes note of an event of the file.
    pub(super) fn note(&mut self, event: &Event<'a>) {
        let (anchor, opens) = match event {
            Event::Scalar(_, _, anchor, _) => (*anchor, false),
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => (*anchor, true),
            _ => (NONE, false),
        };
        if anchor != NONE && self.open.len() < MAX_OPEN {
            self.open.push(Node {
                anchor,
                depth: 0,
                events: Vec::new(),
            });
        }
        let closes = matches!(event, Event::SequenceEnd | Event::MappingEnd);
        for node in &mut self.open {
            node.events.push(event.clone());
            node.depth = node.depth + usize::from(opens) - usize::from(closes);
        }
        while let Some(node) = self.open.pop_if(|node| node.depth == 0) {
            self.known.insert(node.anchor, node.events);
        }
    }

    /// What an alias stands for, aliases within it included.
    ///
    /// # Errors
    /// Why it stands for nothing.
    pub(super) fn resolve(&mut self, anchor: usize) -> Result<Vec<Event<'a>>, &'static str> {
        let mut resolved = Vec::new();
        // Still to be looked at, the next one last.
        let mut rest = vec![Event::Alias(anchor)];
        while let Some(event) = rest.pop() {
            self.repeated += 1;
            if self.repeated > MAX_REPEATED {
                return Err("an alias (*) that stands for too much");
            }
            match event {
                Event::Alias(anchor) => match self.known.get(&anchor) {
                    Some(events) => rest.extend(events.iter().rev().cloned()),
                    None => return Err("an alias (*) of a node that is not over yet, or too deep"),
                },
                event => resolved.push(event),
            }
        }
        Ok(resolved)
    }
}
