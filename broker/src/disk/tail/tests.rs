//! What the tail keeps and gives up: by age, by who reads, by what the spill owes, within the budget.
//! Held by the bytes that can be read back, by what is counted, and by drawn histories of all that comes and goes.

use super::*;

const DURABLE: RingKind = RingKind::Durable;

fn page_of(pool: &Pool, with: u8) -> Aligned {
    let mut buffer = pool.take(PAGE);
    buffer.push(&[with; PAGE]);
    buffer
}

#[test]
fn what_is_kept_without_readers_is_twice_what_the_spill_lags_behind() {
    use sawlog_core::{file::Free, log::EngineConf, log::Sizes};
    for total in [1 << 30, 1 << 40] {
        let space = Free { total, free: total };
        let sizes = Sizes::of(&EngineConf::default(), space, 1);
        assert!(Least::BROKER.rings >= 2 * sizes.spill_lag);
    }
}

#[test]
fn the_oldest_goes_first_and_a_read_over_two_stretches_is_a_copy() {
    let pool = Pool::new(0);
    let mut tail = Tail::new(3 * PAGE as u64, Least::BROKER, pool.clone());
    let file = FileName::named("ring");
    for i in 0..4_u8 {
        tail.keep(&file, u64::from(i) * 4096, page_of(&pool, i).share());
    }
    assert_eq!(tail.get(&file, 0, 10), None);
    assert_eq!(tail.get(&file, 4100, 10).unwrap()[..], [1; 10]);
    assert_eq!(tail.get(&file, 8190, 4).unwrap()[..], [1, 1, 2, 2]);
    assert_eq!(tail.get(&file, 16380, 10), None, "behind the end");
    assert_eq!(tail.held(), 3 * PAGE as u64);
    tail.forget(&file);
    assert_eq!(tail.held(), 0);
}

#[test]
fn what_was_written_last_stays_however_long_it_is() {
    let pool = Pool::new(0);
    let page = PAGE as u64;
    let least = Least {
        all: 2 * page,
        rings: 0,
    };
    let mut tail = Tail::new(64 * page, least, pool.clone());
    let file = FileName::named("segment");
    let mut long = pool.take(5 * PAGE);
    long.push_zeros(5 * PAGE);
    tail.keep(&file, 0, long.share());
    assert!(tail.find(&file, 0, 5 * page).is_some());
    tail.keep(&file, 5 * page, page_of(&pool, 1).share());
    assert_eq!(tail.held(), page);
}

#[test]
fn what_was_written_again_is_as_old_as_its_last_write() {
    let pool = Pool::new(0);
    let mut tail = Tail::new(3 * PAGE as u64, Least::BROKER, pool.clone());
    let file = FileName::named("segment");
    for (at, with) in [(0, 1), (4096, 2), (0, 3), (8192, 4)] {
        tail.keep(&file, at, page_of(&pool, with).share());
    }
    assert_eq!(tail.get(&file, 0, 1).unwrap()[..], [3]);
    tail.keep(&file, 12288, page_of(&pool, 5).share());
    assert_eq!(tail.get(&file, 4096, 1), None, "the oldest");
    assert_eq!(tail.get(&file, 0, 1).unwrap()[..], [3]);
}

#[test]
fn as_much_is_kept_as_readers_reach_back_twice_and_one_who_stays_too_late_gets_all_of_the_budget() {
    const MEBI: u64 = 1 << 20;
    let pool = Pool::new(0);
    let least = Least {
        all: 16 * MEBI,
        rings: 0,
    };
    let mut tail = Tail::new(64 * MEBI, least, pool.clone());
    let file = FileName::Ring {
        shard: sawlog_core::ids::ShardId(0),
        kind: DURABLE,
        sequence: 1,
    };
    let mut at = 0;
    let mut write = |tail: &mut Tail, n: u64| {
        for _ in 0..n {
            let mut buffer = pool.take(MEBI as usize);
            buffer.filled(MEBI as usize);
            tail.keep(&file, at, buffer.share());
            at += MEBI;
        }
        at
    };
    let near = |held: u64, mebi: u64| held <= mebi * MEBI && held > (mebi - 3) * MEBI;
    let end = write(&mut tail, 100);
    assert!(near(tail.held(), 16), "{}", tail.held());
    assert!(tail.get(&file, end - 15 * MEBI, 0).is_some());
    write(&mut tail, 50);
    assert!(near(tail.held(), 31), "{}", tail.held());
    // One who reads what no budget would have kept changes nothing, one who stays a little too late does.
    assert!(tail.get(&file, 0, 1).is_none());
    let mut end = write(&mut tail, 1);
    assert!(near(tail.held(), 31), "{}", tail.held());
    for _ in 0..7 {
        assert!(tail.get(&file, end - 60 * MEBI, 1).is_none());
        end = write(&mut tail, 10);
    }
    assert!(tail.get(&file, end - 60 * MEBI, 1).is_none());
    write(&mut tail, 70);
    assert!(near(tail.held(), 64), "{}", tail.held());
    // What the spill has still to take stays, too.
    tail.owe(20 * MEBI);
    write(&mut tail, 130);
    assert!(near(tail.held(), 40), "{}", tail.held());
    // Nobody came back in two rounds.
    tail.owe(0);
    write(&mut tail, 130);
    assert!(near(tail.held(), 16), "{}", tail.held());
}

#[test]
fn what_the_spill_has_still_to_take_stays_however_much_goes_straight_to_segments() {
    const KIBI: u64 = 1 << 10;
    let pool = Pool::new(0);
    let least = Least {
        all: 256 * KIBI,
        rings: 512 * KIBI,
    };
    let mut tail = Tail::new(8192 * KIBI, least, pool.clone());
    let ring = FileName::Ring {
        shard: sawlog_core::ids::ShardId(0),
        kind: DURABLE,
        sequence: 1,
    };
    let segment = FileName::named("segment");
    let (mut ours, mut theirs) = (0, 0);
    let depth = Cell::new(3);
    let mut write = |tail: &mut Tail, n: u64| {
        for i in 0..n {
            let (file, at) = match i % 8 {
                0 => (&ring, &mut ours),
                _ => (&segment, &mut theirs),
            };
            let mut buffer = pool.take(64 << 10);
            buffer.filled(64 << 10);
            tail.keep(file, *at, buffer.share());
            *at += 64 * KIBI;
            // The spill comes behind, and so does a reader.
            if let Some(at) = ours.checked_sub(depth.get() * 64 * KIBI) {
                assert!(tail.find(&ring, at, 1).is_some());
                assert!(tail.get(&ring, at, 1).is_some());
            }
        }
        (ours, theirs)
    };
    let here = |tail: &Tail, file: &FileName, end: u64| {
        let back = 1..=end / (64 * KIBI);
        let found = back.take_while(|n| tail.part(file, end - n * 64 * KIBI).is_some());
        found.count()
    };
    let (ours, theirs) = write(&mut tail, 400);
    assert_eq!(
        (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
        (8, 4)
    );
    assert_eq!(tail.held(), 12 * 64 * KIBI);
    for (owed, back, kept) in [(640 * KIBI, 3, 20), (0, 3, 8), (0, 8, 16), (0, 3, 8)] {
        tail.owe(owed);
        depth.set(back);
        let (ours, theirs) = write(&mut tail, 400);
        assert_eq!(
            (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
            (kept, 4)
        );
    }
    // Never more than the budget, of which a quarter is for those who read what lies elsewhere.
    tail.owe(64 << 20);
    let (ours, theirs) = write(&mut tail, 4000);
    assert_eq!(
        (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
        (96, 4)
    );
    tail.reach.note(4096 * KIBI);
    let (ours, theirs) = write(&mut tail, 104);
    assert_eq!(tail.held(), 8192 * KIBI);
    assert_eq!(
        (here(&tail, &ring, ours), here(&tail, &segment, theirs)),
        (96, 32)
    );
}

#[test]
fn who_reads_out_of_a_window_is_at_the_very_end() {
    let pool = Pool::new(0);
    let page = PAGE as u64;
    let least = Least {
        all: 2 * page,
        rings: 0,
    };
    let mut tail = Tail::new(64 * page, least, pool.clone());
    let ring = FileName::Ring {
        shard: sawlog_core::ids::ShardId(0),
        kind: DURABLE,
        sequence: 1,
    };
    let file = FileName::named("segment");
    tail.add(DURABLE, &ring, 0, &[Piece::Zeros(128)]);
    tail.seal(DURABLE);
    assert_eq!(tail.held(), page, "a window ends as long as what is in it");
    for at in 1..50 {
        tail.add(DURABLE, &ring, at * 128, &[Piece::Zeros(128)]);
        assert!(tail.get(&ring, at * 128, 128).is_some());
        tail.keep(&file, at * page, page_of(&pool, 1).share());
        assert_eq!(tail.room(), 2 * page);
    }
}

#[test]
fn small_commits_lie_in_one_window_as_in_the_file_and_can_be_read_at_once() {
    let pool = Pool::new(0);
    let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
    let file = FileName::named("ring");
    let commit = |with: u8| [Piece::Bytes(Bytes::from(vec![with; 100])), Piece::Zeros(28)];
    let add = |tail: &mut Tail, file: &FileName, at, with| {
        tail.add(DURABLE, file, at, &commit(with)).to_vec()
    };
    assert_eq!(add(&mut tail, &file, 4096, 1)[..100], [1; 100]);
    assert_eq!(add(&mut tail, &file, 4224, 2)[..100], [2; 100]);
    assert_eq!(add(&mut tail, &file, 8192, 3)[..100], [3; 100]);
    let whole = tail.get(&file, 4096, 4096 + 128).unwrap();
    assert_eq!(whole[..100], [1; 100]);
    assert_eq!(whole[128..228], [2; 100]);
    assert_eq!(whole[4096..4196], [3; 100]);
    // Another file begins a window of its own; the first can be read as before, and is given up with its file.
    let next = FileName::named("next");
    add(&mut tail, &next, 0, 4);
    assert_eq!(tail.get(&file, 4224, 100).unwrap()[..], [2; 100]);
    assert_eq!(tail.get(&next, 0, 100).unwrap()[..], [4; 100]);
    tail.forget(&file);
    tail.forget(&next);
    assert_eq!(tail.get(&file, 4224, 100), None);
    assert_eq!(tail.get(&next, 0, 100), None);
    assert_eq!(tail.held(), 0);
}

#[test]
fn a_commit_that_was_written_another_way_ends_the_window_7() {
    let pool = Pool::new(0);
    let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
    let file = FileName::named("ring");
    let pieces = |with: u8| [Piece::Bytes(Bytes::from(vec![with; 128]))];
    tail.add(RingKind::Fast, &file, 0, &pieces(1));
    // A disk that is slow just now: this one went through a thread.
    let mut other = pool.take(128);
    other.push(&[2; 128]);
    tail.keep(&file, 128, other.share());
    tail.add(RingKind::Fast, &file, 256, &pieces(3));
    let whole = [[1; 128], [2; 128], [3; 128]].concat();
    assert_eq!(tail.get(&file, 0, 384).unwrap()[..], whole);
    // And after the next window has begun.
    tail.add(RingKind::Fast, &file, 1 << 20, &pieces(4));
    assert_eq!(tail.get(&file, 0, 384).unwrap()[..], whole);
}

#[test]
fn what_is_written_out_of_a_window_is_aligned() {
    let pool = Pool::new(0);
    let mut tail = Tail::new(1 << 20, Least::BROKER, pool.clone());
    let file = FileName::named("ring");
    for at in [4096_u64, 8192, 12288, 1 << 20] {
        let pieces = [Piece::Zeros(PAGE)];
        let bytes = tail.add(DURABLE, &file, at, &pieces);
        assert_eq!(bytes.as_ptr().align_offset(PAGE), 0);
        assert_eq!(bytes.len(), PAGE);
    }
}

impl Tail {
    /// Whether what is counted is what is there, all of it in order to be given up (#132).
    fn check(&self) {
        let stretches = self.files.iter().flat_map(|(file, all)| {
            let named = move |(at, stretch)| (file, at, stretch);
            all.iter().map(named)
        });
        let mut held = 0;
        for (file, at, stretch) in stretches {
            held += stretch.cost;
            let row = match file {
                FileName::Ring { .. } => &self.rings,
                _ => &self.others,
            };
            let mine = |age: &&Age| age.born == stretch.born;
            let age = row.ages.iter().find(mine).expect("its age");
            assert_eq!((&age.file, &age.at), (file, at));
        }
        assert_eq!(self.held, held);
        assert!(held <= self.budget);
        // A buffer is a page at least; the last is not given up.
        let most = (self.budget / PAGE as u64 + 1) as usize;
        assert!(self.rings.ages.len() <= most && self.others.ages.len() <= most);
    }
}

#[test]
fn whatever_comes_and_goes_the_budget_holds_and_nothing_is_forgotten_by_halves_132() {
    for seed in 1..200_u64 {
        let mut state = seed;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let pool = Pool::new([0, 1 << 20][draw(2) as usize]);
        let page = PAGE as u64;
        let budget = [0, page, 40 * page, 400 * page][draw(4) as usize];
        let (all, rings) = (draw(60) * page, draw(60) * page);
        let mut tail = Tail::new(budget, Least { all, rings }, pool.clone());
        let ring = |sequence| FileName::Ring {
            shard: sawlog_core::ids::ShardId(0),
            kind: DURABLE,
            sequence,
        };
        let segment = |dir: &str, base| FileName::Segment {
            dir: dir.into(),
            base: sawlog_core::ids::Offset(base),
        };
        let files = [ring(1), ring(2), segment("t-0", 0), segment("t-0", 9)];
        for _ in 0..400 {
            let file = &files[draw(4) as usize];
            let at = draw(100) * page;
            match draw(12) {
                0 => tail.cut(file, at),
                1 => tail.forget(&[&FileName::named("t-0"), file][draw(2) as usize].clone()),
                2 => tail.owe(draw(100) * page),
                3..6 => drop(tail.get(file, at, draw(3) * page)),
                6 => drop(tail.find(file, at, 1)),
                7..9 => {
                    let pieces = [Piece::Zeros(draw(9) as usize * 1000 + 1)];
                    tail.add(DURABLE, &files[draw(2) as usize], at, &pieces);
                }
                _ => {
                    let mut buffer = pool.take(draw(9) as usize * PAGE + 1);
                    buffer.push(&[7]);
                    tail.keep(file, at, buffer.share());
                }
            }
            tail.check();
        }
    }
}
