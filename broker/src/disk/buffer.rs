//! Page-aligned memory that is used again: first touch of memory is dear, and O_DIRECT wants alignment.
//! Decides how long buffers are and what they count against; never where they lie (`region`), nor what is in them.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sawlog_core::file::{Piece, Stamp};

use super::region::{Regions, Run};
use crate::net::allowance::Held;

/// What O_DIRECT wants its addresses, lengths and positions to be a multiple of.
pub const PAGE: usize = 4096;

/// A buffer longer than this is made for its purpose and freed.
const LARGEST: usize = 8 << 20;

/// Bytes that are no longer written, with what their memory takes.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The bytes, or a part of them.
    pub bytes: Bytes,
    /// What is free when the last slice of them is gone.
    pub cost: u64,
}

/// Gives out aligned buffers and takes them back when the last slice of them is gone.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: Arc<Mutex<Inner>>,
    idle_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    regions: Regions,
    /// What buffers in use count against, by where they lie, and what they really take: those whose bytes are no longer
    /// written.
    counted: BTreeMap<usize, (Held, usize)>,
}

/// An aligned run of bytes, filled from the front.
#[derive(Debug)]
pub struct Aligned {
    memory: Memory,
    /// Where the first byte lies: at the beginning of a page, or so far behind it.
    start: usize,
    skew: usize,
    len: usize,
    pool: Option<Arc<Mutex<Inner>>>,
    /// What it counts against, for as long as any slice of it lives (#131), or until [`Pool::take_over`].
    held: Option<Held>,
    /// It stands in [`Inner::counted`].
    listed: bool,
}

/// All of it is initialised, by zeros or by its last use: a buffer that comes back is not cleared.
#[derive(Debug)]
enum Memory {
    Run(Run),
    /// Too long for a run, or there was none; one page longer, so that it can begin where one does.
    Heap(Vec<u8>),
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Memory::Run(run) => run,
            Memory::Heap(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Memory::Run(run) => run,
            Memory::Heap(bytes) => bytes,
        }
    }
}

impl Pool {
    /// A pool that keeps at most `idle_max` bytes for long that nobody uses.
    pub fn new(idle_max: usize) -> Pool {
        Pool {
            inner: Arc::default(),
            idle_max,
        }
    }

    /// An empty buffer with room for `len` bytes, rounded up to whole pages.
    pub fn take(&self, len: usize) -> Aligned {
        let size = size_of(len);
        if size <= LARGEST {
            let run = lock(&self.inner).regions.take(size);
            if let Some(run) = run {
                return Aligned::new(Memory::Run(run), Some(self.inner.clone()));
            }
        }
        // The kernel gives zeroed pages when they are first touched: nothing is cleared here.
        Aligned::new(Memory::Heap(vec![0; size + PAGE]), None)
    }

    /// Gives back to the system what nobody used since this was last called, but for what is always kept.
    pub fn tidy(&self) {
        lock(&self.inner).regions.tidy(self.idle_max);
    }

    /// The memory of a frame goes over to whoever keeps these bytes of it from now on: it counts no longer against what
    /// frames share. Says what it takes; nothing if it is no long frame's, or these are the lesser part of it.
    pub fn take_over(&self, bytes: &[u8]) -> Option<u64> {
        let at = bytes.as_ptr().addr();
        let mut inner = lock(&self.inner);
        let (begin, (_, taken)) = inner.counted.range(..=at).next_back()?;
        let (begin, taken) = (*begin, *taken);
        if at >= begin + taken || bytes.len() < taken / 2 {
            return None;
        }
        inner.counted.remove(&begin);
        Some(taken as u64)
    }
}

#[cfg(test)]
impl Pool {
    /// Bytes that somebody has.
    pub(crate) fn used(&self) -> usize {
        lock(&self.inner).regions.used()
    }
}

/// No thread ends while it holds this.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a buffer for `len` bytes really takes.
pub fn taken(len: usize) -> usize {
    let size = size_of(len);
    if size > LARGEST { size + PAGE } else { size }
}

/// How long a buffer is made: few lengths, so that one that comes back leaves room for the next, and no crumbs.
fn size_of(len: usize) -> usize {
    let step = (len.max(1).next_power_of_two() / 8).max(PAGE);
    len.max(1).next_multiple_of(step)
}

impl Aligned {
    fn new(memory: Memory, pool: Option<Arc<Mutex<Inner>>>) -> Aligned {
        let start = memory.as_ptr().align_offset(PAGE);
        assert!(start < PAGE, "bytes can be aligned to any page");
        Aligned {
            memory,
            start,
            skew: 0,
            len: 0,
            pool,
            held: None,
            listed: false,
        }
    }

    /// Begins so many bytes behind the beginning of a page.
    pub fn skewed(mut self, skew: usize) -> Aligned {
        assert!(self.len == 0, "what is in it would move");
        self.start = self.start - self.skew + skew;
        self.skew = skew;
        self
    }

    /// Counts against a bound until the last slice of it is gone (#131).
    pub fn counted(mut self, held: Option<Held>) -> Aligned {
        self.held = held;
        self
    }

    /// Whether it counts against a bound.
    pub fn is_counted(&self) -> bool {
        self.held.is_some()
    }

    /// What it counts against, to count for another.
    pub fn uncounted(&mut self) -> Option<Held> {
        self.held.take()
    }

    /// How many bytes it may hold in all.
    pub fn capacity(&self) -> usize {
        let before = match self.memory {
            Memory::Run(_) => 0,
            Memory::Heap(_) => PAGE,
        };
        self.memory.len() - before - self.skew
    }

    /// Adds bytes; the buffer must have been taken with room for them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.spare(bytes.len()).copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Adds zeros.
    pub fn push_zeros(&mut self, n: usize) {
        self.spare(n).fill(0);
        self.len += n;
    }

    /// Adds a piece as the log wants it on disk.
    pub fn push_piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Bytes(bytes) => self.push(bytes),
            Piece::Zeros(n) => self.push_zeros(*n),
            Piece::Batch(bytes, stamp) => {
                let at = self.start + self.len;
                self.push(bytes);
                if let Some(copy) = self.memory.get_mut(at..) {
                    stamp_batch(copy, *stamp);
                }
            }
        }
    }

    /// Adds a part of a piece as the log wants it on disk.
    pub fn push_part(&mut self, piece: &Piece, part: Range<usize>) {
        match piece {
            Piece::Bytes(bytes) => self.push(bytes.get(part).unwrap_or_default()),
            Piece::Zeros(_) => self.push_zeros(part.len()),
            Piece::Batch(bytes, stamp) => {
                let (from, at) = (part.start, self.start + self.len);
                self.push(bytes.get(part).unwrap_or_default());
                if from >= STAMPED {
                    return;
                }
                // The stamp itself may be cut in two.
                let mut head = [0; STAMPED];
                let have = bytes.get(..STAMPED).unwrap_or_default();
                if let Some(head) = head.get_mut(..have.len()) {
                    head.copy_from_slice(have);
                    stamp_batch(head, *stamp);
                }
                let copy = self.memory.get_mut(at..self.start + self.len);
                let stamped = head.get(from..).unwrap_or_default();
                for (to, byte) in copy.unwrap_or_default().iter_mut().zip(stamped) {
                    *to = *byte;
                }
            }
        }
    }

    /// The next `n` bytes of the room that is left, to read into: whatever was there before. What was read is kept by
    /// [`Aligned::filled`].
    pub fn spare(&mut self, n: usize) -> &mut [u8] {
        let from = self.start + self.len;
        let room = self.memory.get_mut(from..from + n);
        assert!(room.is_some(), "moving the memory would undo its alignment");
        room.unwrap_or_default()
    }

    /// Says how many of the bytes handed out by [`Aligned::spare`] are real.
    pub fn filled(&mut self, n: usize) {
        self.len += n;
        assert!(
            self.len <= self.capacity(),
            "no more than there was room for"
        );
    }

    /// Keeps the first `n` bytes only.
    pub fn truncate(&mut self, n: usize) {
        self.len = self.len.min(n);
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the bytes shareable, and says what they cost.
    pub fn share(self) -> Shared {
        let cost = self.memory.len() as u64;
        Shared {
            bytes: self.freeze(),
            cost,
        }
    }

    /// Makes the bytes shareable; the memory comes back to the pool with the last slice.
    pub fn freeze(mut self) -> Bytes {
        // One that goes back to no pool counts to its end.
        if let Some(pool) = &self.pool
            && let Some(held) = self.held.take()
        {
            let (begin, taken) = (self.memory.as_ptr().addr(), self.memory.len());
            lock(pool).counted.insert(begin, (held, taken));
            self.listed = true;
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        self.memory
            .get(self.start..self.start + self.len)
            .unwrap_or_default()
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let memory = std::mem::replace(&mut self.memory, Memory::Heap(Vec::new()));
        let mut inner = lock(&pool);
        if self.listed {
            inner.counted.remove(&memory.as_ptr().addr());
        }
        if let Memory::Run(run) = memory {
            inner.regions.put(run);
        }
    }
}

/// The bytes of a batch that hold what is stamped.
pub const STAMPED: usize = 16;

/// Writes base offset and leader epoch into a batch: bytes 0..8 and 12..16, both outside Kafka's checksum.
pub fn stamp_batch(batch: &mut [u8], stamp: Stamp) {
    if let Some(base) = batch.get_mut(0..8) {
        base.copy_from_slice(&stamp.base.0.to_be_bytes());
    }
    if let Some(epoch) = batch.get_mut(12..16) {
        epoch.copy_from_slice(&stamp.epoch.0.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_core::ids::{LeaderEpoch, Offset};

    #[test]
    fn every_buffer_starts_on_a_page_and_comes_back_to_the_pool() {
        let pool = Pool::new(1 << 20);
        for len in [1, PAGE, PAGE + 1, 70_000] {
            let mut buffer = pool.take(len);
            buffer.push(&vec![7; len]);
            assert_eq!(buffer.as_ref().as_ptr().align_offset(PAGE), 0);
            let frozen = buffer.freeze();
            let slice = frozen.slice(len - 1..);
            drop(frozen);
            assert_eq!(&slice[..], [7]);
        }
        assert_eq!(pool.used(), 0);
        let again = pool.take(70_000);
        assert!(again.is_empty() && pool.used() == taken(70_000));
    }

    #[test]
    fn what_nobody_uses_for_long_is_given_back_but_for_what_is_always_kept() {
        let pool = Pool::new(4 << 20);
        let taken: Vec<Aligned> = (0..10).map(|_| pool.take(1 << 20)).collect();
        pool.tidy();
        drop(taken);
        let idle = || lock(&pool.inner).regions.idle();
        pool.tidy();
        assert_eq!(idle(), 10 << 20);
        pool.tidy();
        assert_eq!(idle(), 4 << 20);
        let longest = pool.take(LARGEST + 1);
        assert!(
            pool.used() == 0 && longest.capacity() > LARGEST,
            "it is the heap's"
        );
    }

    #[test]
    fn a_piece_in_parts_is_the_same_piece_wherever_it_is_cut() {
        let pool = Pool::new(0);
        let stamp = Stamp {
            base: Offset(0x0102_0304_0506_0708),
            epoch: LeaderEpoch(0x1112_1314),
        };
        let sent = Bytes::from((0..40).collect::<Vec<u8>>());
        for piece in [
            Piece::Batch(sent.clone(), stamp),
            Piece::Bytes(sent.clone()),
            Piece::Zeros(40),
        ] {
            let mut whole = pool.take(40);
            whole.push_piece(&piece);
            for cut in 0..=40 {
                let mut parts = pool.take(40);
                parts.push_part(&piece, 0..cut);
                parts.push_part(&piece, cut..40);
                assert_eq!(parts.as_ref(), whole.as_ref(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_batch_is_stamped_in_the_copy_only() {
        let pool = Pool::new(0);
        let sent = Bytes::from(vec![0xff; 61]);
        let mut buffer = pool.take(61);
        buffer.push_piece(&Piece::Batch(
            sent.clone(),
            Stamp {
                base: Offset(5),
                epoch: LeaderEpoch(3),
            },
        ));
        assert_eq!(buffer.as_ref()[..8], 5i64.to_be_bytes());
        assert_eq!(buffer.as_ref()[8..12], [0xff; 4]);
        assert_eq!(buffer.as_ref()[12..16], 3i32.to_be_bytes());
        assert!(sent.iter().all(|byte| *byte == 0xff));
    }
}
