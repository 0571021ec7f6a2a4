//! Random values for tests: what the wire can carry, edges more often than chance would have it.
//!
//! Decides how a test draws; never used outside tests (feature `random`).

use bytes::Bytes;

use crate::{
    layout::Row,
    primitives::{At, Tag, Tags},
};

/// A small seeded generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same values.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `times`.
    pub const fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A number: small, an edge, or anything.
    pub const fn number(&mut self) -> i64 {
        match self.below(6) {
            0 => 0,
            1 => -1,
            2 => self.below(200) as i64,
            3 => 1i64 << self.below(63),
            4 => i64::MAX,
            _ => self.next() as i64,
        }
    }

    /// A text: empty, short, with letters of two to four bytes, or longer than a one-byte length.
    pub fn text(&mut self) -> String {
        const LETTERS: [char; 12] = ['a', 'b', 'Z', '0', '.', '_', '-', ' ', '"', 'é', '日', '🦀'];
        let length = if self.one_in(20) {
            self.below(300)
        } else {
            self.below(8)
        };
        (0..length)
            .filter_map(|_| LETTERS.get(self.below(12) as usize))
            .collect()
    }

    /// Bytes: none, few, or more than a one-byte length can say.
    pub fn bytes(&mut self) -> Vec<u8> {
        let length = if self.one_in(20) {
            self.below(300)
        } else {
            self.below(8)
        };
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Tagged fields that no build knows: between, and behind, those of `rows`.
    pub fn tags(&mut self, at: At, rows: &[Row]) -> Tags {
        if !at.flexible || !self.one_in(4) {
            return Tags::default();
        }
        let taken = |number: u32| rows.iter().any(|row| row.rules.tag == Some(number));
        let numbers = [0, 1, 2, 5, 127, 128, 10_000, u32::MAX >> 4];
        let free = numbers.into_iter().filter(|&number| !taken(number));
        let kept = free.filter(|_| self.one_in(3)).collect::<Vec<_>>();
        let tag = |number| Tag {
            number,
            value: Bytes::from(self.bytes()),
        };
        Tags(kept.into_iter().map(tag).collect())
    }
}
