//! The files of the commit log, read from outside: which commits stand in the ring for `durable` topics, and when it rests.
//! Decides only where a commit begins and ends; what it must hold is each story's claim.

use std::path::PathBuf;

use tests::broker::{Start, wait_until};

/// Blocks of this size may begin with a commit.
const BLOCK: usize = 4096;
const MAGIC: &[u8] = b"SLcm";

/// One commit in a file of the ring.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Commit {
    pub(crate) sequence: u64,
    pub(crate) file: PathBuf,
    pub(crate) at: usize,
    pub(crate) bytes: usize,
    pub(crate) entries: u32,
}

/// All files that are there now, of both rings.
pub(crate) fn files(start: &Start) -> Vec<PathBuf> {
    std::fs::read_dir(start.data.join("commit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Every commit that stands in the ring, by sequence; those of an earlier use of a file are among them.
pub(crate) fn commits(start: &Start) -> Vec<Commit> {
    let mut all = Vec::new();
    for file in files(start) {
        let bytes = std::fs::read(&file).unwrap();
        for (block, bytes) in bytes.chunks(BLOCK).enumerate() {
            // The sixth byte says which ring; commits of the fast one begin anywhere.
            if bytes.starts_with(MAGIC) && bytes[6] == 0 {
                let number = |at| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                all.push(Commit {
                    sequence: u64::from_le_bytes(bytes[16..24].try_into().unwrap()),
                    file: file.clone(),
                    at: block * BLOCK,
                    bytes: number(56) as usize,
                    entries: number(68),
                });
            }
        }
    }
    all.sort();
    all
}

/// Waits until commits go to the second file of the ring, which is written ahead while the first one fills.
pub(crate) fn second_file(start: &Start) {
    wait_until("the second file of the commit log", || {
        let all = commits(start);
        all.first().map(|commit| &commit.file) != all.last().map(|commit| &commit.file)
    })
    .unwrap();
}

/// Waits until the last commit is a mark without entries, as a log that rests gets it. Nothing is written after it by
/// itself; and until then damage to the last commit cannot be told from one that a death tore.
pub(crate) fn rest(start: &Start) {
    wait_until("the last mark, alone", || {
        commits(start)
            .last()
            .is_some_and(|commit| commit.entries == 0)
    })
    .unwrap();
}
