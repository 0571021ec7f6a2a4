//! The time and the chance that come in with every step. Decides nothing; the only clock the core ever sees.
//! Safety never depends on [`Wall`] (#110).

use sawlog_wire::primitives::Uuid;

/// Nanoseconds of a clock that never goes back, from an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mono(pub u64);

/// Milliseconds since 1970, as the machine believes: may jump either way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Wall(pub i64);

/// Both clocks at the start of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For deadlines.
    pub mono: Mono,
    /// For record timestamps and retention.
    pub wall: Wall,
}

/// A moment after which something is late.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Deadline(pub Mono);

impl Now {
    /// The moment `wait` from now.
    pub fn after(self, wait: core::time::Duration) -> Deadline {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Deadline(Mono(self.mono.0.saturating_add(nanos)))
    }

    /// How long ago `then` was; nothing if it lies ahead.
    pub fn since(self, then: Mono) -> core::time::Duration {
        core::time::Duration::from_nanos(self.mono.0.saturating_sub(then.0))
    }
}

impl Deadline {
    /// Whether it has passed.
    pub fn passed(self, now: Now) -> bool {
        self.0 <= now.mono
    }

    /// How much time is left until then.
    pub fn left(self, now: Now) -> core::time::Duration {
        core::time::Duration::from_nanos(self.0.0.saturating_sub(now.mono.0))
    }
}

/// Sixteen random bytes, fresh with every step; ids, secrets and tokens are drawn from them and a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dice(pub [u8; 16]);

impl Dice {
    /// Sixteen bytes for one purpose of this step: other turns give other bytes.
    pub fn id(self, turn: u64) -> Uuid {
        let whole = u128::from_be_bytes(self.0);
        let (high, low) = ((whole >> 64) as u64, whole as u64);
        let first = mix(high ^ mix(turn));
        let second = mix(low ^ mix(first));
        Uuid::from_u128(u128::from(first) << 64 | u128::from(second))
    }
}

/// A bijection of 64 bits in which every bit of the input changes about half of the output (SplitMix64's finisher).
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
