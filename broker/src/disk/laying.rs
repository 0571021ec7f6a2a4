//! What a write that goes straight to a segment is made of: frames where they lie in memory as they will lie in the file,
//! copies of the rest. Decides what is copied, never where anything lies (decision 0011). Holds #131 for what is kept.

use std::ops::Range;

use sawlog_core::file::Piece;

use super::buffer::{Aligned, PAGE, Pool, STAMPED, Shared};

/// Bytes of one buffer of copies.
const CHUNK: usize = 1 << 20;
/// A part of a frame shorter than this is copied, wherever it lies.
const WORTH: usize = 16 << 10;

impl Pool {
    /// Pieces as they will lie in a file from `at` on, which begins a block, in runs: parts of frames that lie in memory as
    /// they will lie there, and copies of all the rest, in buffers of one length, so that those of the next write fit these.
    pub fn lay(&self, at: u64, pieces: &[Piece]) -> Vec<Shared> {
        let (mut runs, mut rest, mut next) = (Vec::new(), Vec::new(), at);
        for piece in pieces {
            let lies = match piece {
                Piece::Batch(bytes, _) => self.as_it_lies(bytes, next).map(|found| (bytes, found)),
                Piece::Bytes(_) | Piece::Zeros(_) => None,
            };
            let mut from = 0;
            if let Some((bytes, (range, cost))) = lies {
                rest.push((piece, 0..range.start));
                self.copy(&mut rest, &mut runs);
                from = range.end;
                let bytes = bytes.slice(range);
                runs.push(Shared { bytes, cost });
            }
            rest.push((piece, from..piece.len()));
            next += piece.len() as u64;
        }
        self.copy(&mut rest, &mut runs);
        runs
    }

    /// The whole blocks of a batch, what is stamped left out, if it lies in memory as it will in a file at `at`; and what
    /// its memory takes, which from now on counts for whoever keeps it.
    fn as_it_lies(&self, batch: &[u8], at: u64) -> Option<(Range<usize>, u64)> {
        let skew = batch.as_ptr().addr() % PAGE;
        if skew as u64 != at % PAGE as u64 {
            return None;
        }
        let from = (skew + STAMPED).next_multiple_of(PAGE) - skew;
        let to = ((skew + batch.len()) / PAGE * PAGE).checked_sub(skew)?;
        if to < from + WORTH {
            return None;
        }
        let cost = self.take_over(batch)?;
        Some((from..to, cost))
    }

    fn copy(&self, parts: &mut Vec<(&Piece, Range<usize>)>, runs: &mut Vec<Shared>) {
        let mut left: usize = parts.iter().map(|(_, part)| part.len()).sum();
        let mut chunk: Option<Aligned> = None;
        for (piece, part) in parts.drain(..) {
            let mut from = part.start;
            while from < part.end {
                let filling = chunk.get_or_insert_with(|| self.take(left.min(CHUNK)));
                let room = left.min(CHUNK - filling.len());
                let n = room.min(part.end - from);
                filling.push_part(piece, from..from + n);
                (from, left) = (from + n, left - n);
                if n == room {
                    runs.extend(chunk.take().map(Aligned::share));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::buffer::taken;
    use crate::net::allowance::Allowance;
    use bytes::Bytes;
    use sawlog_core::file::Stamp;
    use sawlog_core::ids::{LeaderEpoch, Offset};

    /// A batch that lies `skew` bytes behind the beginning of a page, in a frame that counts against `memory`.
    fn sent(pool: &Pool, memory: &Allowance, skew: usize, len: usize) -> Bytes {
        let before = 50;
        let skew = (skew + PAGE - before) % PAGE;
        let taken = taken(before + len + skew);
        let frame = pool.take(before + len + skew).skewed(skew);
        let mut frame = frame.counted(memory.take(taken));
        frame.push(&[0; 50]);
        let bytes: Vec<u8> = (0..len).map(|at| (at % 253) as u8).collect();
        frame.push(&bytes);
        frame.freeze().slice(before..)
    }

    fn within(bytes: &Bytes, all: &Bytes) -> bool {
        all.as_ptr_range().contains(&bytes.as_ptr())
    }

    #[test]
    fn what_lies_in_memory_as_it_will_in_the_file_is_not_copied_and_all_of_it_is_there() {
        let pool = Pool::new(1 << 20);
        let memory = Allowance::new(64 << 20);
        let stamp = |base| Stamp {
            base: Offset(base),
            epoch: LeaderEpoch(0x1112_1314),
        };
        let ends = [
            0,
            1,
            15,
            16,
            17,
            100,
            PAGE - 17,
            PAGE - 16,
            PAGE - 15,
            PAGE - 1,
        ];
        for lead in ends {
            for len in [70_000, 80_000 - 80_000 % PAGE, WORTH, WORTH + PAGE] {
                // The first lies as the file wants it, the second does not, and the third does again.
                let lens = [len, 2 * len + 77, len + 3];
                let skews = [lead, lead + len + 1, lead + 3 * len + 77].map(|at| at % PAGE);
                let batches = [0, 1, 2].map(|n| sent(&pool, &memory, skews[n], lens[n]));
                let mut pieces = vec![Piece::Bytes(vec![9; lead].into())];
                for (base, bytes) in (0x0102_0304..).zip(&batches) {
                    pieces.push(Piece::Batch(bytes.clone(), stamp(base)));
                }
                let end: usize = pieces.iter().map(Piece::len).sum();
                pieces.push(Piece::Zeros(end.next_multiple_of(PAGE) - end));
                let runs = pool.lay(8 * PAGE as u64, &pieces);
                let laid: Vec<u8> = runs.iter().flat_map(|run| run.bytes.to_vec()).collect();
                let mut copied = pool.take(laid.len());
                pieces.iter().for_each(|piece| copied.push_piece(piece));
                assert!(laid == copied.as_ref(), "{lead}, {len}");
                let whole = |run: &Shared| {
                    let (at, len) = (run.bytes.as_ptr().addr(), run.bytes.len());
                    at.is_multiple_of(PAGE) && len.is_multiple_of(PAGE)
                };
                assert!(runs.iter().all(whole), "O_DIRECT wants whole blocks");
                let lies = |n: usize| {
                    let of = |run: &&Shared| within(&run.bytes, &batches[n]);
                    let bytes: usize = runs.iter().filter(of).map(|run| run.bytes.len()).sum();
                    bytes
                };
                for n in [0, 2] {
                    let copied = lens[n] - lies(n);
                    let all = lies(n) == 0 && lens[n] < WORTH + 2 * PAGE + STAMPED;
                    assert!(
                        all || copied < 2 * PAGE + STAMPED,
                        "{lead}, {len}: {copied}"
                    );
                }
                assert_eq!(lies(1), 0);
                // What is kept for readers no longer counts as a request's.
                drop(batches);
                drop(pieces);
                assert_eq!(memory.used(), 0, "{lead}, {len}");
                let cost: u64 = runs.iter().map(|run| run.cost).sum();
                assert!(cost >= laid.len() as u64, "#132");
            }
        }
    }

    #[test]
    fn a_small_part_of_a_frame_is_copied_and_keeps_none_of_its_memory_131() {
        let pool = Pool::new(1 << 20);
        let memory = Allowance::new(64 << 20);
        let frame = sent(&pool, &memory, 0, 300_000);
        let stamp = Stamp {
            base: Offset(0),
            epoch: LeaderEpoch(0),
        };
        let mut pieces = vec![Piece::Batch(frame.slice(..100_000), stamp)];
        pieces.push(Piece::Zeros(100_000_usize.next_multiple_of(PAGE) - 100_000));
        let runs = pool.lay(0, &pieces);
        assert!(!runs.iter().any(|run| within(&run.bytes, &frame)));
        assert!(memory.used() >= 300_000, "a frame that is still in use");
        drop((pieces, frame));
        assert_eq!(memory.used(), 0);
    }
}
