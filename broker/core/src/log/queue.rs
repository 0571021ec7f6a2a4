//! What waits for a commit of one ring. Decides who goes first (metadata and coordinators, then users, then what is
//! copied forward) and how much one commit takes; never when a commit is written. Holds #105, #132, #135.

use alloc::collections::VecDeque;

use bytes::Bytes;

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
    /// Copies of quiet batches: nobody waits for them but the recycling of a file.
    Moved,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    classes: [VecDeque<Item>; 3],
    bytes: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, class: Class, item: Item) {
        self.bytes += item.bytes.len() as u64;
        if let Some(queue) = self.classes.get_mut(class as usize) {
            queue.push_back(item);
        }
    }

    /// What would be taken next.
    pub(crate) fn front(&self) -> Option<(Class, &Item)> {
        [Class::Urgent, Class::User, Class::Moved]
            .into_iter()
            .find_map(|class| Some((class, self.classes.get(class as usize)?.front()?)))
    }

    /// Takes the item that `front` showed.
    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.classes.iter_mut().find_map(VecDeque::pop_front)?;
        self.bytes -= item.bytes.len() as u64;
        Some(item)
    }

    /// Payload that waits.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.classes.iter().all(VecDeque::is_empty)
    }
}
