//! The offsets that matter in one log, and the order that holds between them at every step (#5, #12).
//! Set only by their owners (`log` for what lies where, `replica` for what counts); everybody else reads.

use crate::ids::Offset;

/// When a write counts (`sawlog.durability`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// Only once it would survive a power cut: the default.
    #[default]
    Durable,
    /// Once it would survive the death of this process: it lies in memory that the kernel owns.
    Replicated,
}

/// One log's offsets. All are ends (the first offset that does *not* have the property), except `start`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// First offset still there (Kafka: log start offset).
    pub start: Offset,
    /// End of what a read_committed reader may see (last stable offset).
    pub stable: Offset,
    /// End of what any reader may see (high watermark).
    pub hw: Offset,
    /// End of what would survive a power cut.
    pub durable: Offset,
    /// End of what would survive the death of the process.
    pub written: Offset,
    /// End of the log (log end offset).
    pub next: Offset,
}

impl Marks {
    /// Asserts the order of the marks (#5) and that nothing is exposed before it may be (#11, #12). `seen` is what was
    /// exposed before: a topic that was `replicated` keeps showing what it showed.
    pub fn check(&self, durability: Durability, seen: Offset) {
        assert!(self.start <= self.stable, "#5: {self:?}");
        assert!(self.stable <= self.hw, "#5: {self:?}");
        assert!(self.hw <= self.next, "#5: {self:?}");
        assert!(self.durable <= self.written, "#5: {self:?}");
        assert!(self.written <= self.next, "#5: {self:?}");
        // A trimmed log may begin past what is durable of its bytes: what lies below `start` needs no proof.
        match durability {
            Durability::Durable => {
                assert!(
                    self.hw <= self.durable.max(self.start).max(seen),
                    "#12: {self:?}"
                )
            }
            Durability::Replicated => {
                assert!(self.hw <= self.written.max(self.start), "#12: {self:?}")
            }
        }
    }

    /// The replica's own mark for this durability: what it may count itself with.
    pub fn own(&self, durability: Durability) -> Offset {
        match durability {
            Durability::Durable => self.durable,
            Durability::Replicated => self.written,
        }
    }
}
