//! What the tail gave up not long ago, without its bytes, and who asks for it.
//! Decides when a reader who comes too late is worth more memory: when he stays too late.
//!
//! Who only passes on his way to the end gains nothing from memory, and all that is written would go round in more of it than
//! the processor's caches hold. Readers are not told apart: many who pass, one right behind the other, are one who stays.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use sawlog_core::file::FileName;

/// See the file's head. Ages are bytes that the tail took in, of all files together.
#[derive(Debug)]
pub struct Gone {
    /// What is older than this would be kept for no reader.
    budget: u64,
    files: BTreeMap<FileName, BTreeMap<u64, Given>>,
    /// In the order they were given up.
    ages: VecDeque<(FileName, u64, u64)>,
    late: Cell<Option<Late>>,
}

/// A stretch that was given up: its bytes in the file, and what had been taken in before it.
#[derive(Debug)]
struct Given {
    len: u64,
    born: u64,
}

/// Somebody asks for what is gone, again and again.
#[derive(Clone, Copy, Debug)]
struct Late {
    /// What had been taken in when that began, and when it was last so.
    since: u64,
    last: u64,
    /// The greatest age that was asked for.
    age: u64,
}

impl Gone {
    /// For a tail that holds at most `budget` bytes.
    pub fn new(budget: u64) -> Gone {
        Gone {
            budget,
            files: BTreeMap::new(),
            ages: VecDeque::new(),
            late: Cell::new(None),
        }
    }

    /// So many bytes at `at` were given up; `born` is what had been taken in before them, `taken` what has been by now.
    pub fn add(&mut self, file: FileName, at: u64, len: u64, born: u64, taken: u64) {
        let given = self.files.entry(file.clone()).or_default();
        given.insert(at, Given { len, born });
        self.ages.push_back((file, at, born));
        while let Some((file, at, born)) = self
            .ages
            .pop_front_if(|(.., born)| taken - *born > self.budget)
        {
            let Some(given) = self.files.get_mut(&file) else {
                continue;
            };
            if given.get(&at).is_some_and(|given| given.born == born) {
                given.remove(&at);
            }
            if given.is_empty() {
                self.files.remove(&file);
            }
        }
    }

    /// Somebody asks for what lies at `at` and is not in memory. Says how old it is, at most, if it was given up and he has
    /// been late for as long as it takes to write as much: as far back as this, memory would serve him.
    pub fn asked(&self, file: &FileName, at: u64, taken: u64) -> Option<u64> {
        let (begin, given) = self.files.get(file)?.range(..=at).next_back()?;
        if at - begin >= given.len {
            return None;
        }
        let age = taken - given.born;
        if age > self.budget {
            return None;
        }
        // Who asked longer ago has come to the end, or has given up.
        let before = self.late.get();
        let before = before.filter(|late| taken - late.last <= self.budget / 4);
        let late = Late {
            since: before.map_or(taken, |late| late.since),
            last: taken,
            age: before.map_or(age, |late| late.age.max(age)),
        };
        self.late.set(Some(late));
        (taken - late.since >= late.age).then_some(late.age)
    }

    /// The files of which something is known.
    pub fn files(&self) -> impl Iterator<Item = &FileName> {
        self.files.keys()
    }

    /// A file gets a new life.
    pub fn forget(&mut self, file: &FileName) {
        if self.files.remove(file).is_some() {
            self.ages.retain(|(of, ..)| of != file);
        }
    }

    /// What lies past the new end of a file is another's from now on.
    pub fn cut(&mut self, file: &FileName, len: u64) {
        if let Some(given) = self.files.get_mut(file) {
            given.retain(|at, given| at + given.len <= len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBI: u64 = 1 << 20;

    /// A tail that keeps 4 MiB of 64 and is written to by the mebibyte, a file after the other.
    struct Written {
        gone: Gone,
        files: u64,
        taken: u64,
    }

    impl Written {
        fn new(files: u64) -> Written {
            let gone = Gone::new(64 * MEBI);
            let mut written = Written {
                gone,
                files,
                taken: 0,
            };
            written.write(200);
            written
        }

        fn place(&self, taken: u64) -> (FileName, u64) {
            let number = taken / MEBI;
            let file = FileName::named(&format!("file-{}", number % self.files));
            (file, number / self.files * MEBI)
        }

        fn write(&mut self, mebi: u64) {
            for _ in 0..mebi {
                self.taken += MEBI;
                if let Some(born) = self.taken.checked_sub(4 * MEBI) {
                    let (file, at) = self.place(born);
                    self.gone.add(file, at, MEBI, born, self.taken);
                }
            }
        }

        /// Somebody reads what is so old.
        fn read(&self, age: u64) -> Option<u64> {
            let (file, at) = self.place(self.taken - age * MEBI);
            self.gone.asked(&file, at, self.taken)
        }
    }

    #[test]
    fn who_stays_too_late_is_believed_after_as_many_bytes_whatever_the_number_of_files() {
        for files in [1, 16, 17, 64] {
            for age in [5, 10, 30, 60] {
                let mut written = Written::new(files);
                let late = (0..200).find(|_| {
                    let believed = written.read(age);
                    written.write(1);
                    assert!(believed.is_none_or(|reach| reach == age * MEBI));
                    believed.is_some()
                });
                assert_eq!(late, Some(age), "{files} files");
            }
        }
    }

    #[test]
    fn who_passes_is_not_believed_though_somebody_writes_meanwhile() {
        for files in [1, 16, 64] {
            for speed in [2, 3, 8, 32] {
                let mut written = Written::new(files);
                // Twice, but not one right behind the other.
                for _ in 0..2 {
                    let mut behind = 60;
                    while behind > 4 {
                        for step in 0..speed.min(behind - 4) {
                            assert_eq!(written.read(behind - step), None, "{files} files");
                        }
                        behind = behind.saturating_sub(speed) + 1;
                        written.write(1);
                    }
                    written.write(17);
                }
            }
        }
    }

    #[test]
    fn what_is_too_old_was_never_here_or_is_another_s_now_is_no_reason() {
        let mut written = Written::new(1);
        for age in [1, 65, 100] {
            for _ in 0..150 {
                assert_eq!(written.read(age), None);
                written.write(1);
            }
        }
        // While the tail grows nothing is given up, and nothing forgotten: such a question is none of a late reader.
        let (file, at) = written.place(written.taken - 60 * MEBI);
        written.gone.late.set(None);
        let grown = written.taken + 10 * MEBI;
        assert_eq!(written.gone.asked(&file, at, grown), None);
        assert!(written.gone.late.get().is_none());
        assert!(written.gone.ages.len() <= 64);
        written.gone.cut(&file, 0);
        assert_eq!(written.read(10), None);
        written.gone.forget(&file);
        assert_eq!(
            (written.gone.ages.len(), written.gone.files().count()),
            (0, 0),
            "#132"
        );
    }
}
