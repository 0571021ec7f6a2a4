//! Which row of a response each part of a request fills, and how many rows wait for theirs.
//! Decides that an answer counts once; what is written into a row is its key's affair.

use alloc::vec::Vec;

use super::job::Call;
use crate::answer::Part;
use crate::ids::LogId;

/// A row of a response: the partition's, below its topic's.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) topic: usize,
    pub(super) partition: usize,
    pub(super) log: LogId,
}

/// The rows that logs were asked for, by the number of the part.
#[derive(Default)]
pub(super) struct Places {
    asked: Vec<Option<Place>>,
    left: usize,
}

impl Places {
    /// Asks the log's owner; the answer goes to this row.
    pub(super) fn ask(&mut self, call: &mut Call<'_, '_>, place: Place, part: Part) {
        let number = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        self.asked.push(Some(place));
        self.left += 1;
        call.ask(place.log, number, part);
    }

    /// Where an answer goes; nowhere if nobody asked, or has been answered (#137).
    pub(super) fn answered(&mut self, part: u32) -> Option<Place> {
        let place = self.asked.get_mut(usize::try_from(part).ok()?)?.take()?;
        self.left -= 1;
        Some(place)
    }

    /// The row that an answer fills, of topics whose rows `rows` gives.
    pub(super) fn row<'r, T, R>(
        &mut self,
        part: u32,
        topics: &'r mut [T],
        rows: impl FnOnce(&'r mut T) -> &'r mut Vec<R>,
    ) -> Option<&'r mut R> {
        let place = self.answered(part)?;
        rows(topics.get_mut(place.topic)?).get_mut(place.partition)
    }

    /// Whether every answer is there.
    pub(super) fn ready(&self) -> bool {
        self.left == 0
    }
}
