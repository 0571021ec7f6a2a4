//! One suite for all executors of file operations: the real directory, memory, the simulated disk.
//! Holds that they agree on everything `sawlog_core::file` promises; what only a crash can show is the enumerator's.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot make its directory says so by panicking"
)]

use bytes::Bytes;
use sawlog_broker::disk::buffer::Pool;
use sawlog_broker::disk::files::Files;
use sawlog_broker::disk::memory::Memory;
use sawlog_core::file::{FaultKind, FileName, FileOp, How, Outcome, Piece, RingKind, Stamp};
use sawlog_core::ids::{LeaderEpoch, Offset, ShardId};
use sawlog_sim::disk::Disk;

/// An executor, as a function from operation to outcome.
type Run<'a> = &'a mut dyn FnMut(FileOp) -> Outcome;

fn on_each_executor(case: impl Fn(Run<'_>)) {
    let mut memory = Memory::default();
    case(&mut |op| memory.run(&op));
    let mut disk = Disk::default();
    case(&mut |op| disk.run(&op));
    let dir = std::env::temp_dir().join(format!(
        "sawlog-conformance-{}-{:p}",
        std::process::id(),
        &case
    ));
    std::fs::create_dir_all(&dir).unwrap();
    let files = Files::open(&dir, Pool::new(1 << 20)).unwrap();
    case(&mut |op| files.run(&op).0);
    drop(files);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn named(path: &str) -> FileName {
    FileName::named(path)
}

fn ring() -> FileName {
    FileName::Ring {
        kind: RingKind::Durable,
        shard: ShardId(0),
        sequence: 1,
    }
}

fn put(file: FileName, at: u64, pieces: Vec<Piece>, how: How) -> FileOp {
    FileOp::Put {
        file,
        at,
        pieces,
        how,
    }
}

fn bytes(text: &'static str) -> Piece {
    Piece::Bytes(Bytes::from_static(text.as_bytes()))
}

fn read(run: Run<'_>, file: &FileName) -> Vec<u8> {
    let (at, len) = (0, 1 << 20);
    let once = run(FileOp::Read {
        file: file.clone(),
        at,
        len,
    });
    let again = run(FileOp::Reread {
        file: file.clone(),
        at,
        len,
    });
    assert_eq!(once, again, "{file}");
    match once {
        Outcome::Bytes(bytes) => bytes.to_vec(),
        other => panic!("read {file}: {other:?}"),
    }
}

fn absent(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed(fault) if fault.kind == FaultKind::Absent)
}

#[test]
fn a_put_creates_its_file_and_writes_its_pieces_in_order() {
    on_each_executor(|run| {
        let file = named("a");
        let pieces = vec![bytes("one"), Piece::Zeros(2), bytes("two")];
        assert_eq!(
            run(put(file.clone(), 1, pieces, How::Cached)),
            Outcome::Done
        );
        assert_eq!(read(run, &file), b"\0one\0\0two");
        assert_eq!(
            run(put(file.clone(), 2, vec![bytes("XX")], How::Bulk)),
            Outcome::Done
        );
        assert_eq!(read(run, &file), b"\0oXX\0\0two");
    });
}

#[test]
fn a_durable_put_to_a_pre_written_ring_changes_only_its_blocks() {
    on_each_executor(|run| {
        assert_eq!(run(FileOp::MakeDir(named("commit"))), Outcome::Done);
        assert_eq!(
            run(FileOp::Alloc {
                file: ring(),
                len: 1 << 16
            }),
            Outcome::Done
        );
        let block = Bytes::from(vec![7; 4096]);
        assert_eq!(
            run(put(ring(), 8192, vec![Piece::Bytes(block)], How::Durable)),
            Outcome::Done
        );
        let all = read(run, &ring());
        assert_eq!(all.len(), 1 << 16);
        assert!(
            all[..8192]
                .iter()
                .chain(&all[12288..])
                .all(|byte| *byte == 0)
        );
        assert!(all[8192..12288].iter().all(|byte| *byte == 7));
        // Allocating again makes it anew.
        assert_eq!(
            run(FileOp::Alloc {
                file: ring(),
                len: 4096
            }),
            Outcome::Done
        );
        assert_eq!(read(run, &ring()), vec![0; 4096]);
    });
}

#[test]
fn a_batch_is_stamped_where_kafkas_checksum_does_not_look() {
    on_each_executor(|run| {
        let stamp = Stamp {
            base: Offset(0x0102),
            epoch: LeaderEpoch(5),
        };
        let batch = Piece::Batch(Bytes::from(vec![0xee; 64]), stamp);
        assert_eq!(
            run(put(named("b"), 0, vec![batch], How::Durable)),
            Outcome::Done
        );
        let mut expected = vec![0xee; 64];
        expected[..8].copy_from_slice(&0x0102i64.to_be_bytes());
        expected[12..16].copy_from_slice(&5i32.to_be_bytes());
        assert_eq!(read(run, &named("b")), expected);
    });
}

#[test]
fn a_large_bulk_put_at_any_place_is_byte_for_byte_what_was_asked() {
    on_each_executor(|run| {
        let data: Vec<u8> = (0..300_001u32).map(|i| (i % 251) as u8).collect();
        let pieces = |range: std::ops::Range<usize>| {
            vec![Piece::Bytes(Bytes::copy_from_slice(&data[range]))]
        };
        assert_eq!(
            run(put(named("c"), 0, pieces(0..200_000), How::Bulk)),
            Outcome::Done
        );
        assert_eq!(
            run(put(
                named("c"),
                200_000,
                pieces(200_000..300_001),
                How::Bulk
            )),
            Outcome::Done
        );
        assert_eq!(run(FileOp::Sync(named("c"))), Outcome::Done);
        assert!(read(run, &named("c")) == data);
    });
}

#[test]
fn reads_end_where_the_file_ends_and_a_cut_file_grows_with_zeros() {
    on_each_executor(|run| {
        let file = named("d");
        assert_eq!(
            run(put(file.clone(), 0, vec![bytes("abcdef")], How::Cached)),
            Outcome::Done
        );
        assert_eq!(
            run(FileOp::Cut {
                file: file.clone(),
                len: 2
            }),
            Outcome::Done
        );
        assert_eq!(read(run, &file), b"ab");
        assert_eq!(
            run(put(file.clone(), 4, vec![bytes("z")], How::Cached)),
            Outcome::Done
        );
        assert_eq!(read(run, &file), b"ab\0\0z");
        let past = FileOp::Read {
            file,
            at: 99,
            len: 1,
        };
        assert_eq!(run(past), Outcome::Bytes(Bytes::new()));
    });
}

#[test]
fn names_are_made_replaced_listed_and_removed() {
    on_each_executor(|run| {
        let (dir, old, new) = (named("t-0"), named("t-0/old"), named("t-0/new"));
        assert!(absent(run(FileOp::List(dir.clone()))));
        for _ in 0..2 {
            assert_eq!(run(FileOp::MakeDir(dir.clone())), Outcome::Done);
        }
        run(put(old.clone(), 0, vec![bytes("1")], How::Cached));
        run(put(new.clone(), 0, vec![bytes("22")], How::Cached));
        let Outcome::Listing(entries) = run(FileOp::List(dir.clone())) else {
            panic!("a listing")
        };
        let listed: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.len, entry.dir))
            .collect();
        assert_eq!(listed, [("new", 2, false), ("old", 1, false)]);
        assert_eq!(
            run(FileOp::Rename {
                from: old.clone(),
                to: new.clone()
            }),
            Outcome::Done
        );
        assert_eq!(read(run, &new), b"1");
        assert!(absent(run(FileOp::Read {
            file: old.clone(),
            at: 0,
            len: 1
        })));
        assert!(absent(run(FileOp::Rename {
            from: old.clone(),
            to: new.clone()
        })));
        assert_eq!(run(FileOp::SyncDir(dir.clone())), Outcome::Done);
        // A directory moves with what is in it.
        assert_eq!(
            run(FileOp::Rename {
                from: dir,
                to: named("gone")
            }),
            Outcome::Done
        );
        assert_eq!(read(run, &named("gone/new")), b"1");
        assert!(absent(run(FileOp::Read {
            file: new,
            at: 0,
            len: 1
        })));
        for _ in 0..2 {
            assert_eq!(run(FileOp::Unlink(named("gone/new"))), Outcome::Done);
        }
        for _ in 0..2 {
            assert_eq!(run(FileOp::RemoveDir(named("gone"))), Outcome::Done);
        }
        let Outcome::Listing(root) = run(FileOp::List(named(""))) else {
            panic!("a listing")
        };
        assert!(root.is_empty(), "{root:?}");
        assert_eq!(run(FileOp::SyncAll), Outcome::Done);
    });
}

#[test]
fn what_is_not_there_is_absent_to_every_operation_that_needs_it() {
    on_each_executor(|run| {
        let file = named("nothing");
        assert!(absent(run(FileOp::Sync(file.clone()))));
        assert!(absent(run(FileOp::Cut {
            file: file.clone(),
            len: 0
        })));
        assert!(absent(run(FileOp::Read {
            file,
            at: 0,
            len: 1
        })));
    });
}
