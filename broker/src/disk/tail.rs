//! The commits written last, still in memory: tail reads and spilling take their bytes from here.
//! Decides which buffers are dropped when the budget (`sawlog.cache.bytes`) is used up: the oldest.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sawlog_core::file::FileName;

/// Buffers by file and position.
#[derive(Debug)]
pub struct Tail {
    budget: u64,
    held: u64,
    files: BTreeMap<FileName, BTreeMap<u64, Bytes>>,
    /// In the order they were written.
    ages: VecDeque<(FileName, u64)>,
}

impl Tail {
    /// An empty cache that holds at most `budget` bytes.
    pub fn new(budget: u64) -> Tail {
        Tail {
            budget,
            held: 0,
            files: BTreeMap::new(),
            ages: VecDeque::new(),
        }
    }

    /// Keeps what was just written at `at`.
    pub fn keep(&mut self, file: &FileName, at: u64, bytes: Bytes) {
        let cost = cost(bytes.len());
        if cost > self.budget {
            return;
        }
        if let Some(old) = self
            .files
            .entry(file.clone())
            .or_default()
            .insert(at, bytes)
        {
            self.held -= self::cost(old.len());
        }
        self.held += cost;
        self.ages.push_back((file.clone(), at));
        while self.held > self.budget {
            let Some((file, at)) = self.ages.pop_front() else {
                break;
            };
            self.forget_one(&file, at);
        }
    }

    /// The bytes at a position, if all of them lie in one buffer.
    pub fn get(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        let (start, bytes) = self.files.get(file)?.range(..=at).next_back()?;
        let from = usize::try_from(at - start).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    }

    /// Forgets a file that gets a new life.
    pub fn forget(&mut self, file: &FileName) {
        if let Some(gone) = self.files.remove(file) {
            self.held -= gone.values().map(|bytes| cost(bytes.len())).sum::<u64>();
        }
    }

    /// Bytes of memory in use.
    pub fn held(&self) -> u64 {
        self.held
    }

    fn forget_one(&mut self, file: &FileName, at: u64) {
        let Some(buffers) = self.files.get_mut(file) else {
            return;
        };
        if let Some(gone) = buffers.remove(&at) {
            self.held -= cost(gone.len());
        }
        if buffers.is_empty() {
            self.files.remove(file);
        }
    }
}

/// What a buffer really takes: the pool hands out powers of two of whole pages.
fn cost(len: usize) -> u64 {
    let pages = len.max(super::buffer::PAGE).next_power_of_two();
    pages as u64 + super::buffer::PAGE as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_a_read_over_two_buffers_misses() {
        let mut tail = Tail::new(3 * cost(4096));
        let file = FileName::named("ring");
        for (i, at) in [0, 4096, 8192, 12288].into_iter().enumerate() {
            tail.keep(&file, at, Bytes::from(vec![i as u8; 4096]));
        }
        assert_eq!(tail.get(&file, 0, 10), None);
        assert_eq!(tail.get(&file, 4100, 10).unwrap()[..], [1; 10]);
        assert_eq!(tail.get(&file, 8190, 4), None);
        assert!(tail.held() <= 3 * cost(4096));
        tail.forget(&file);
        assert_eq!(tail.held(), 0);
    }
}
