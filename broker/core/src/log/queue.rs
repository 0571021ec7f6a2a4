//! What waits for a commit of one ring. Decides who goes first (metadata and coordinators, then users, then what is
//! copied forward, which is not left behind for ever); never when a commit is written. Holds #105, #132, #135.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::ids::LogId;
use crate::log::state::Entry;

/// One entry and, for a batch, its bytes as they were sent.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) entry: Entry,
    pub(crate) bytes: Bytes,
}

/// Who goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    /// Metadata, coordinators: may use the ring's reserve.
    Urgent,
    /// Everybody else. The facts of a log stand in its own class, so that they keep their place among its batches.
    User,
    /// Copies of quiet batches: nobody waits for them but the recycling of a file. They hold the oldest files, so a load
    /// that never ends may pass them a few times only.
    Moved,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    classes: [VecDeque<Item>; 3],
    bytes: u64,
    /// Commits in a row that left every copy forward behind.
    passed: u32,
}

impl Queue {
    pub(crate) fn push(&mut self, class: Class, item: Item) {
        self.bytes += item.bytes.len() as u64;
        if let Some(queue) = self.classes.get_mut(class as usize) {
            queue.push_back(item);
        }
    }

    /// What would be taken next.
    pub(crate) fn front(&self, passes_max: u32) -> Option<(Class, &Item)> {
        self.order(passes_max)
            .into_iter()
            .find_map(|class| Some((class, self.classes.get(class as usize)?.front()?)))
    }

    /// Takes the item that `front` showed.
    pub(crate) fn pop(&mut self, passes_max: u32) -> Option<(Class, Item)> {
        let (class, item) = self.order(passes_max).into_iter().find_map(|class| {
            let item = self.classes.get_mut(class as usize)?.pop_front()?;
            Some((class, item))
        })?;
        self.bytes -= item.bytes.len() as u64;
        Some((class, item))
    }

    fn order(&self, passes_max: u32) -> [Class; 3] {
        if self.passed < passes_max {
            [Class::Urgent, Class::User, Class::Moved]
        } else {
            [Class::Urgent, Class::Moved, Class::User]
        }
    }

    /// A commit is complete: whether it took a copy forward.
    pub(crate) fn taken(&mut self, moved: bool) {
        let waits = self
            .classes
            .get(Class::Moved as usize)
            .is_some_and(|queue| !queue.is_empty());
        self.passed = if waits && !moved {
            self.passed.saturating_add(1)
        } else {
            0
        };
    }

    /// Gives up the copies that are not written yet, and says whose they are: these batches lie where they lay.
    pub(crate) fn unmove(&mut self) -> Vec<LogId> {
        let mut logs = Vec::new();
        if let Some(queue) = self.classes.get_mut(Class::Moved as usize) {
            for item in queue.drain(..) {
                self.bytes -= item.bytes.len() as u64;
                if let Entry::Batch(entry) = &item.entry {
                    logs.push(entry.log);
                }
            }
        }
        logs
    }

    /// Everything that waits, for tests.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.classes.iter().flatten().map(|item| &item.entry)
    }

    /// Payload that waits.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.classes.iter().all(VecDeque::is_empty)
    }
}
