//! The time and the chance that come in with every step. Decides nothing; the only clock the core ever sees.
//! Safety never depends on [`Wall`] (#110).

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
}

/// Sixteen random bytes, fresh with every step; ids, secrets and tokens are drawn from them and a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dice(pub [u8; 16]);
