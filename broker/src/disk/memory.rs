//! File operations in memory: for tests, and for a node inside another program.
//! Decides only when it is full; keeps the promises of `sawlog_core::file` as far as a process that never dies needs them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sawlog_core::file::{Entry, Fault, FaultKind, FileName, FileOp, Free, Outcome, Piece};

use super::buffer::stamp_batch;

/// A log directory in memory.
#[derive(Debug)]
pub struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    dirs: BTreeSet<String>,
    /// Lengths of all files, and how many bytes they may come to.
    used: u64,
    limit: u64,
}

impl Default for Memory {
    /// An empty directory without a bound.
    fn default() -> Memory {
        Memory::bounded(u64::MAX)
    }
}

impl Memory {
    /// An empty directory whose files come to so many bytes at most.
    pub fn bounded(limit: u64) -> Memory {
        Memory {
            files: BTreeMap::new(),
            dirs: BTreeSet::new(),
            used: 0,
            limit,
        }
    }

    /// How many bytes there may be, and how many of them are free.
    pub fn space(&self) -> Free {
        Free {
            total: self.limit,
            free: self.limit - self.used,
        }
    }

    /// Reads all of these bytes; none if they are not all there.
    pub fn get(&self, file: &FileName, at: u64, len: u64) -> Option<Bytes> {
        let bytes = self.files.get(&file.to_string())?;
        let from = size(at);
        let bytes = bytes.get(from..from.checked_add(size(len))?)?;
        Some(Bytes::copy_from_slice(bytes))
    }

    /// Does one operation. One that would not fit fails as on a full disk, and has had no effect.
    pub fn run(&mut self, op: &FileOp) -> Outcome {
        let growth = self.growth(op);
        if growth > self.limit - self.used {
            return full(op);
        }
        self.change(op)
    }

    /// A file becomes this, whatever it was.
    fn insert(&mut self, name: String, bytes: Vec<u8>) {
        self.used += bytes.len() as u64;
        let old = self.files.insert(name, bytes);
        self.used -= old.map_or(0, |bytes| bytes.len() as u64);
    }

    fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        let bytes = self.files.remove(name)?;
        self.used -= bytes.len() as u64;
        Some(bytes)
    }

    /// The names of the files below a directory.
    fn below(&self, dir: &str) -> Vec<String> {
        let below = format!("{dir}/");
        let from = self.files.range(below.clone()..);
        let names = from.map(|(name, _)| name);
        let names = names.take_while(|name| name.starts_with(&below));
        names.cloned().collect()
    }

    fn length(&self, file: &FileName) -> u64 {
        let bytes = self.files.get(&file.to_string());
        bytes.map_or(0, |bytes| bytes.len() as u64)
    }

    /// How many bytes more there will be.
    fn growth(&self, op: &FileOp) -> u64 {
        let (file, end) = match op {
            FileOp::Alloc { file, len } | FileOp::Cut { file, len } => (file, *len),
            FileOp::Put {
                file, at, pieces, ..
            } => {
                let len: usize = pieces.iter().map(Piece::len).sum();
                (file, at.saturating_add(len as u64))
            }
            _ => return 0,
        };
        end.saturating_sub(self.length(file))
    }

    fn change(&mut self, op: &FileOp) -> Outcome {
        match op {
            FileOp::Alloc { file, len } => {
                self.insert(file.to_string(), vec![0; size(*len)]);
            }
            FileOp::Put {
                file, at, pieces, ..
            } => self.put(file, size(*at), pieces),
            FileOp::Sync(file) if !self.files.contains_key(&file.to_string()) => {
                return absent(file);
            }
            FileOp::Sync(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
            FileOp::Cut { file, len } => match self.files.get_mut(&file.to_string()) {
                Some(bytes) => {
                    self.used -= bytes.len() as u64;
                    self.used += len;
                    bytes.resize(size(*len), 0);
                }
                None => return absent(file),
            },
            FileOp::Rename { from, to } => return self.rename(from, to),
            FileOp::Unlink(file) => {
                self.remove(&file.to_string());
            }
            FileOp::MakeDir(dir) => {
                self.dirs.insert(dir.to_string());
            }
            FileOp::RemoveDir(dir) => {
                let path = dir.to_string();
                self.dirs.remove(&path);
                for name in self.below(&path) {
                    self.remove(&name);
                }
            }
            FileOp::Read { file, at, len } | FileOp::Reread { file, at, len } => {
                let Some(bytes) = self.files.get(&file.to_string()) else {
                    return absent(file);
                };
                let from = size(*at).min(bytes.len());
                let to = from.saturating_add(*len as usize).min(bytes.len());
                return Outcome::Bytes(Bytes::copy_from_slice(
                    bytes.get(from..to).unwrap_or_default(),
                ));
            }
            FileOp::List(dir) => return self.list(dir),
        }
        Outcome::Done
    }

    fn put(&mut self, file: &FileName, at: usize, pieces: &[Piece]) {
        let bytes = self.files.entry(file.to_string()).or_default();
        let before = bytes.len();
        let mut at = at;
        for piece in pieces {
            let end = at + piece.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            let Some(target) = bytes.get_mut(at..end) else {
                continue;
            };
            match piece {
                Piece::Bytes(source) => target.copy_from_slice(source),
                Piece::Zeros(_) => target.fill(0),
                Piece::Batch(source, stamp) => {
                    target.copy_from_slice(source);
                    stamp_batch(target, *stamp);
                }
            }
            at = end;
        }
        self.used += (bytes.len() - before) as u64;
    }

    fn rename(&mut self, from: &FileName, to: &FileName) -> Outcome {
        let (old, new) = (from.to_string(), to.to_string());
        if let Some(bytes) = self.remove(&old) {
            self.insert(new, bytes);
        } else if self.dirs.remove(&old) {
            for name in self.below(&old) {
                if let (Some(bytes), Some(rest)) = (self.remove(&name), name.strip_prefix(&old)) {
                    self.insert(format!("{new}{rest}"), bytes);
                }
            }
            self.dirs.insert(new);
        } else {
            return absent(from);
        }
        Outcome::Done
    }

    fn list(&self, dir: &FileName) -> Outcome {
        let path = dir.to_string();
        if !path.is_empty() && !self.dirs.contains(&path) {
            return absent(dir);
        }
        let within = |name: &str| -> Option<String> {
            let rest = if path.is_empty() {
                name
            } else {
                name.strip_prefix(&path)?.strip_prefix('/')?
            };
            (!rest.is_empty() && !rest.contains('/')).then(|| rest.to_owned())
        };
        let files = self.files.iter().filter_map(|(name, bytes)| {
            Some(Entry {
                name: within(name)?,
                len: bytes.len() as u64,
                dir: false,
            })
        });
        let dirs = self.dirs.iter().filter_map(|name| {
            Some(Entry {
                name: within(name)?,
                len: 0,
                dir: true,
            })
        });
        let mut entries: Vec<Entry> = files.chain(dirs).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Outcome::Listing(entries)
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn full(op: &FileOp) -> Outcome {
    let file = match op {
        FileOp::Alloc { file, .. } | FileOp::Cut { file, .. } | FileOp::Put { file, .. } => file,
        _ => &FileName::named(""),
    };
    Outcome::Failed(Fault {
        kind: FaultKind::Full,
        text: format!("{file}: the bound of the directory in memory is reached"),
    })
}

fn absent(file: &FileName) -> Outcome {
    Outcome::Failed(Fault {
        kind: FaultKind::Absent,
        text: format!("{file}: no such file or directory"),
    })
}

#[cfg(test)]
mod tests {
    use sawlog_core::file::How;

    use super::*;
    use crate::clock::Chance;

    #[test]
    fn what_is_counted_as_used_is_what_the_files_come_to_whatever_is_done() {
        let mut memory = Memory::bounded(4096);
        let mut chance = Chance::new();
        let name = |path: &str| FileName::named(path);
        let paths = ["a", "b", "one/a", "one/b", "one/below", "onea", "two/a"];
        let (mut full, mut fewer) = (0, 0);
        for _ in 0..20_000 {
            let dice = chance.roll().0.map(usize::from);
            let [what, which, other, high, low, ..] = dice;
            let file = name(paths[which % paths.len()]);
            let to = name(paths[other % paths.len()]);
            let len = (high * 256 + low) as u64 % 2048;
            let op = match what % 9 {
                0 => FileOp::Alloc { file, len },
                1 => FileOp::Cut { file, len },
                2 => FileOp::Rename { from: file, to },
                3 => FileOp::Unlink(file),
                4 => FileOp::MakeDir(name(["one", "two"][which % 2])),
                5 => FileOp::RemoveDir(name(["one", "two"][which % 2])),
                6 => FileOp::Rename {
                    from: name("one"),
                    to: name("two"),
                },
                _ => FileOp::Put {
                    file,
                    at: len / 2,
                    pieces: vec![Piece::Zeros(low), Piece::Bytes(vec![1; high].into())],
                    how: How::Cached,
                },
            };
            let before = memory.used;
            let outcome = memory.run(&op);
            let sum: usize = memory.files.values().map(Vec::len).sum();
            assert_eq!(memory.used, sum as u64, "after {op:?}");
            assert!(memory.used <= 4096);
            full += u32::from(matches!(outcome, Outcome::Failed(_)));
            fewer += u32::from(memory.used < before);
        }
        assert!(full > 100 && fewer > 100, "{full} refused, {fewer} freed");
    }
}
