//! All chance of a run, from one seed. Decides nothing: each part of the world draws from a stream of its own, so
//! that a draw added in one place shifts no other (#143).

use crate::disk::Choose;

/// One stream (xoshiro256**, by Blackman and Vigna; public domain).
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of this name under a seed.
    pub fn named(seed: u64, name: &str) -> Rng {
        let mut mixed = seed;
        for byte in name.bytes() {
            mixed = splitmix(&mut mixed) ^ u64::from(byte);
        }
        let mut next = || splitmix(&mut mixed);
        Rng {
            state: [next(), next(), next(), next()],
        }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let out = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        out
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number between two, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).ok()?)
    }

    /// A delay around `typical` nanoseconds with a heavy tail: mostly near it, now and then a hundred times as long.
    pub fn delay(&mut self, typical: u64) -> u64 {
        let stretch = match self.below(1000) {
            0..=699 => 1,
            700..=949 => 3,
            950..=994 => 12,
            _ => 100,
        };
        self.between(typical / 4 + 1, typical * stretch + 1)
    }

    /// Sixteen bytes.
    pub fn dice(&mut self) -> [u8; 16] {
        let both = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        both.to_be_bytes()
    }
}

impl Choose for Rng {
    fn choose(&mut self, n: u64) -> u64 {
        self.below(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_name_and_nothing_else() {
        let draw = |seed, name| {
            let mut rng = Rng::named(seed, name);
            (0..8).map(|_| rng.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "disk"), draw(1, "disk"));
        assert_ne!(draw(1, "disk"), draw(1, "net"));
        assert_ne!(draw(1, "disk"), draw(2, "disk"));
        let mut rng = Rng::named(3, "range");
        assert!((0..1000).all(|_| (5..=7).contains(&rng.between(5, 7))));
    }
}
