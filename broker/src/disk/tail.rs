//! The commits written last, still in memory: tail reads and spilling take their bytes from here.
//! Decides which memory is given up: what is older than readers reach back, twice over; of the rings, which the spill reads,
//! by their own bytes; never less than the least, never more than the budget (`sawlog.cache.bytes`).
//!
//! First touch of memory is dear, so it goes round while it is warm. Small commits share a window, in which they lie as they lie in the file: one stretch of memory for many of them, so
//! that a spill reads hundreds of batches at once, and a commit of one record costs its own bytes and no page more.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sawlog_core::file::{FileName, Piece, RingKind};
use sawlog_core::proof;

use super::buffer::{Aligned, PAGE, Pool, Shared};
use super::gone::Gone;

/// Bytes of a window.
const WINDOW: usize = 256 << 10;

/// What is kept though nobody reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Least {
    /// The last so many bytes of all that is written: it goes round in as much memory, and what does not fit the processor's
    /// caches is dear.
    pub all: u64,
    /// The last so many that were written to rings: twice what the spill lags behind (`Sizes::spill_lag`), so that it finds
    /// its bytes here.
    pub rings: u64,
}

impl Least {
    /// A broker's.
    pub const BROKER: Least = Least {
        all: 4 << 20,
        rings: 8 << 20,
    };
}

/// See the file's head.
#[derive(Debug)]
pub struct Tail {
    pool: Pool,
    budget: u64,
    least: Least,
    held: u64,
    /// Bytes taken in so far: what the age of a stretch is counted in.
    taken: u64,
    reach: Reach,
    gone: Gone,
    files: BTreeMap<FileName, BTreeMap<u64, Stretch>>,
    rings: Row,
    others: Row,
    /// The window of each ring that still fills: the durable one's, the fast one's.
    open: [Option<Window>; 2],
}

/// Bytes as they lie in a file, and the memory that they keep.
#[derive(Debug)]
struct Stretch {
    bytes: Bytes,
    cost: u64,
    /// What had been taken in before it, by all and by its row.
    born: u64,
    within: u64,
}

/// Stretches in the order they were written: those of the rings, or all others. Some may be gone, or written again.
#[derive(Debug, Default)]
struct Row {
    ages: VecDeque<Age>,
    /// Bytes that this row took in so far.
    taken: u64,
    /// How far back it is read, in bytes of this row.
    reach: Reach,
    /// What is younger than this, in bytes of this row, stays whatever its age is among all: this much at least ...
    least: u64,
    /// ... twice what is owed and what is read, but no more than this.
    owed: u64,
    most: u64,
}

/// Where a stretch begins, and what had been taken in before it: by all, and by its row.
#[derive(Debug)]
struct Age {
    file: FileName,
    at: u64,
    born: u64,
    within: u64,
}

impl Row {
    /// Takes the first out if it is so.
    fn next_if(&mut self, so: impl Fn(&Age) -> bool) -> Option<Age> {
        self.ages.pop_front_if(|age| so(age))
    }

    fn stays(&self) -> u64 {
        // A buffer may be as long again as what lies in it.
        let read = self.reach.most().max(self.owed);
        read.saturating_mul(2).max(self.least).min(self.most)
    }

    /// Whether what was written first stays for the sake of this row.
    fn holds_on(&self) -> bool {
        let stays = self.stays();
        let first = self.ages.front();
        first.is_some_and(|age| self.taken - age.within <= stays)
    }
}

/// How far readers reach back: the greatest age asked for in this round and in the one before, a round being as many bytes
/// as the budget.
#[derive(Debug, Default)]
struct Reach {
    now: Cell<u64>,
    before: u64,
    round: u64,
}

impl Reach {
    fn note(&self, age: u64) {
        self.now.set(self.now.get().max(age));
    }

    fn most(&self) -> u64 {
        self.before.max(self.now.get())
    }

    fn took(&mut self, cost: u64, budget: u64) {
        self.round += cost;
        if self.round >= budget {
            self.before = self.now.replace(0);
            self.round = 0;
        }
    }
}

#[derive(Debug)]
struct Window {
    file: FileName,
    at: u64,
    buffer: Aligned,
}

impl Window {
    fn end(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Whether `len` bytes at `at` fit behind what is in it, at most a block later.
    fn takes(&self, file: &FileName, at: u64, len: usize) -> bool {
        let gap = at.checked_sub(self.end());
        let gap = gap.and_then(|gap| usize::try_from(gap).ok());
        self.file == *file
            && gap.is_some_and(|gap| {
                gap < PAGE && self.buffer.len() + gap + len <= self.buffer.capacity()
            })
    }
}

impl Tail {
    /// An empty cache that holds at most `budget` bytes, `least` though nobody reads, and a window of each ring; its
    /// memory comes from `pool`.
    pub fn new(budget: u64, least: Least, pool: Pool) -> Tail {
        Tail {
            pool,
            budget,
            least,
            held: 0,
            taken: 0,
            reach: Reach::default(),
            gone: Gone::new(budget),
            files: BTreeMap::new(),
            rings: Row {
                least: least.rings,
                // A quarter is for whoever reads what goes elsewhere.
                most: budget - budget / 4,
                ..Row::default()
            },
            others: Row::default(),
            open: [None, None],
        }
    }

    /// Takes in what is about to be written into a ring file, and gives it as it lies in aligned memory.
    pub fn add(&mut self, kind: RingKind, file: &FileName, at: u64, pieces: &[Piece]) -> &[u8] {
        let len = pieces.iter().map(Piece::len).sum();
        let full = !self.window(kind).is_some_and(|w| w.takes(file, at, len));
        if full {
            self.seal(kind);
        }
        let window = slot(&mut self.open, kind).get_or_insert_with(|| Window {
            file: file.clone(),
            at,
            buffer: self.pool.take(len.max(WINDOW)),
        });
        // Between two synced stretches of the fast ring lies the rest of a block that nobody reads.
        let gap = usize::try_from(at - window.end()).unwrap_or(0);
        window.buffer.push_zeros(gap);
        let from = window.buffer.len();
        for piece in pieces {
            window.buffer.push_piece(piece);
        }
        window.buffer.as_ref().get(from..).unwrap_or_default()
    }

    /// Keeps what was just written at `at` from memory of its own. A window of that file ends here: were it filled any
    /// further, it would have zeros where this lies.
    pub fn keep(&mut self, file: &FileName, at: u64, bytes: Shared) {
        for kind in [RingKind::Durable, RingKind::Fast] {
            if self.window(kind).is_some_and(|window| window.file == *file)
                && !proof::mutant("window-over-a-gap")
            {
                self.seal(kind);
            }
        }
        self.insert(file, at, bytes);
    }

    /// The commit at `at` failed: nobody knows what lies there now, so it is not remembered, and no window goes on over it.
    pub fn lost(&mut self, file: &FileName, at: u64) {
        for kind in [RingKind::Durable, RingKind::Fast] {
            let open = slot(&mut self.open, kind);
            let Some(mut window) = open.take_if(|window| window.file == *file) else {
                continue;
            };
            let before = at.saturating_sub(window.at);
            if !proof::mutant("failed-commit-remembered") {
                window.buffer.truncate(usize::try_from(before).unwrap_or(0));
            }
            if !window.buffer.is_empty() {
                self.insert(file, window.at, window.buffer.share());
            }
        }
    }

    fn insert(&mut self, file: &FileName, at: u64, shared: Shared) {
        let Shared { bytes, cost } = shared;
        if cost > self.budget {
            return;
        }
        let born = self.taken;
        let within = self.row(file).taken;
        let stretch = Stretch {
            bytes,
            cost,
            born,
            within,
        };
        let old = self
            .files
            .entry(file.clone())
            .or_default()
            .insert(at, stretch);
        self.held -= old.map_or(0, |old| old.cost);
        self.held += cost;
        self.taken += cost;
        for reach in [&mut self.reach, &mut self.rings.reach] {
            reach.took(cost, self.budget);
        }
        let row = self.row(file);
        row.taken += cost;
        row.ages.push_back(Age {
            file: file.clone(),
            at,
            born,
            within,
        });
        while let Some(age) = self.next_to_go(born) {
            self.forget_one(&age);
        }
    }

    fn row(&mut self, file: &FileName) -> &mut Row {
        match file {
            FileName::Ring { .. } => &mut self.rings,
            _ => &mut self.others,
        }
    }

    /// What is to be given up next, if anything is; never what was taken in last, whatever its length.
    fn next_to_go(&mut self, last: u64) -> Option<Age> {
        let (taken, room) = (self.taken, self.room());
        let old = |age: &Age| age.born < last && taken - age.born > room;
        if let Some(age) = self.others.next_if(old) {
            return Some(age);
        }
        let ring_holds_on = self.rings.holds_on();
        if !ring_holds_on && let Some(age) = self.rings.next_if(old) {
            return Some(age);
        }
        if self.held <= self.budget {
            return None;
        }
        // Readers may have all but what the spill has still to take, and the spill all but the least.
        let least = self.least.all.min(self.budget / 4);
        let beyond = |age: &Age| age.born < last && taken - age.born > least;
        if ring_holds_on && let Some(age) = self.others.next_if(beyond) {
            return Some(age);
        }
        let born = |row: &Row| row.ages.front().map_or(u64::MAX, |age| age.born);
        let first = if born(&self.rings) < born(&self.others) {
            &mut self.rings
        } else {
            &mut self.others
        };
        first.ages.pop_front()
    }

    /// The bytes at a position for a reader, if all of them are here: a slice where they lie in one stretch, else a copy.
    pub fn get(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        let found = self.find(file, at, len);
        let age = match &found {
            Some(_) => self.age(file, at),
            None => self.gone.asked(file, at, self.taken),
        };
        if let Some(age) = age {
            self.reach.note(age);
        }
        found
    }

    /// How old the stretch is that has the byte at `at`. A window is as young as can be, and what stays for its row's sake
    /// alone is no reason to keep more of all else.
    fn age(&self, file: &FileName, at: u64) -> Option<u64> {
        let (start, stretch) = self.sealed(file, at)?;
        let age = self.taken - stretch.born;
        (at - start < stretch.bytes.len() as u64 && age <= self.room()).then_some(age)
    }

    /// The same for whoever is no reader, the spill above all: it reaches back in the rings, and has nothing else kept.
    pub fn find(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        if let Some((start, stretch)) = self.sealed(file, at) {
            let bytes = &stretch.bytes;
            let from = usize::try_from(at - start).ok()?;
            if from < bytes.len() && matches!(file, FileName::Ring { .. }) {
                self.rings.reach.note(self.rings.taken - stretch.within);
            }
            let to = from.checked_add(usize::try_from(len).ok()?)?;
            if to <= bytes.len() {
                return Some(bytes.slice(from..to));
            }
        }
        let end = at.checked_add(len)?;
        self.part(file, at)?;
        let mut copy = self.pool.take(usize::try_from(len).ok()?);
        let mut at = at;
        while at < end {
            let part = self.part(file, at)?;
            let part = part
                .get(..part.len().min(usize::try_from(end - at).ok()?))
                .filter(|part| !part.is_empty())?;
            copy.push(part);
            at += part.len() as u64;
        }
        Some(copy.freeze())
    }

    /// The spill is so many bytes of the log behind: these stay, or it would read them back from the disk (decision 0009).
    pub fn owe(&mut self, bytes: u64) {
        self.rings.owed = bytes;
    }

    /// Forgets what lies past the new end of a file.
    pub fn cut(&mut self, file: &FileName, len: u64) {
        self.gone.cut(file, len);
        let Some(stretches) = self.files.get_mut(file) else {
            return;
        };
        let held = &mut self.held;
        stretches.retain(|at, stretch| {
            let stays = at + stretch.bytes.len() as u64 <= len;
            if !stays {
                *held -= stretch.cost;
            }
            stays
        });
    }

    /// Forgets a file that gets a new life, and all files of a directory that does.
    pub fn forget(&mut self, file: &FileName) {
        if let FileName::Named(path) = file {
            let below =
                |name: &FileName| matches!(name, FileName::Segment { dir, .. } if dir == path);
            let known = self.files.keys().chain(self.gone.files());
            let names: Vec<FileName> = known.filter(|name| below(name)).cloned().collect();
            names.iter().for_each(|name| self.forget(name));
        }
        self.gone.forget(file);
        if let Some(gone) = self.files.remove(file) {
            self.held -= gone.values().map(|stretch| stretch.cost).sum::<u64>();
        }
        for open in &mut self.open {
            if open.as_ref().is_some_and(|window| window.file == *file) {
                *open = None;
            }
        }
    }

    /// How old what is kept may be now; of the rings more may stay.
    pub fn room(&self) -> u64 {
        let wanted = self.reach.most().saturating_mul(2);
        wanted.clamp(self.least.all.min(self.budget), self.budget)
    }

    /// Bytes of memory in use, the windows that fill left out.
    pub fn held(&self) -> u64 {
        self.held
    }

    fn sealed(&self, file: &FileName, at: u64) -> Option<(u64, &Stretch)> {
        let (start, stretch) = self.files.get(file)?.range(..=at).next_back()?;
        Some((*start, stretch))
    }

    /// What one stretch has from `at` on.
    fn part(&self, file: &FileName, at: u64) -> Option<&[u8]> {
        let within = |start: u64, bytes: &'_ [u8]| {
            let from = usize::try_from(at.checked_sub(start)?).ok()?;
            (from < bytes.len()).then_some(from)
        };
        if let Some((start, stretch)) = self.sealed(file, at)
            && let Some(from) = within(start, &stretch.bytes)
        {
            return stretch.bytes.get(from..);
        }
        let windows = self.open.iter().flatten();
        let window = windows.into_iter().find(|window| window.file == *file)?;
        let bytes = window.buffer.as_ref();
        bytes.get(within(window.at, bytes)?..)
    }

    fn window(&self, kind: RingKind) -> Option<&Window> {
        let [durable, fast] = &self.open;
        match kind {
            RingKind::Durable => durable.as_ref(),
            RingKind::Fast => fast.as_ref(),
        }
    }

    /// A window that takes no more becomes a stretch like any other.
    fn seal(&mut self, kind: RingKind) {
        let Some(mut window) = slot(&mut self.open, kind).take() else {
            return;
        };
        if window.buffer.len() < window.buffer.capacity() / 2 {
            let mut short = self.pool.take(window.buffer.len());
            short.push(window.buffer.as_ref());
            window.buffer = short;
        }
        self.insert(&window.file, window.at, window.buffer.share());
    }

    /// Forgets what was kept then; what lies there since stays.
    fn forget_one(&mut self, age: &Age) {
        let Some(stretches) = self.files.get_mut(&age.file) else {
            return;
        };
        let then = |stretch: &Stretch| stretch.born == age.born;
        if stretches.get(&age.at).is_some_and(then)
            && let Some(stretch) = stretches.remove(&age.at)
        {
            self.held -= stretch.cost;
            let len = stretch.bytes.len() as u64;
            if self.taken - age.born <= self.budget {
                self.gone
                    .add(age.file.clone(), age.at, len, age.born, self.taken);
            }
        }
        if stretches.is_empty() {
            self.files.remove(&age.file);
        }
    }
}

fn slot(open: &mut [Option<Window>; 2], kind: RingKind) -> &mut Option<Window> {
    let [durable, fast] = open;
    match kind {
        RingKind::Durable => durable,
        RingKind::Fast => fast,
    }
}

#[cfg(test)]
mod tests;
