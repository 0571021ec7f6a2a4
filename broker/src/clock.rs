//! Reads the clocks and draws the chance that the core is handed with every step. Decides nothing.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sawlog_core::now::{Deadline, Dice, Mono, Now, Wall};

/// Both clocks, counted from when the process began.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
        }
    }

    /// The time.
    pub fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let wall = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Now {
            mono: Mono(mono),
            wall: Wall(wall),
        }
    }

    /// A deadline as the runtime wants it.
    pub fn instant(&self, deadline: Deadline) -> Instant {
        self.start + std::time::Duration::from_nanos(deadline.0.0)
    }
}

/// The system's random bytes, drawn in blocks: a step must not cost a system call.
#[derive(Debug)]
pub struct Chance {
    block: Vec<u8>,
    at: usize,
}

const BLOCK: usize = 4096;

impl Chance {
    /// An empty block; the first roll fills it.
    pub fn new() -> Chance {
        Chance {
            block: vec![0; BLOCK],
            at: BLOCK,
        }
    }

    /// Sixteen fresh bytes, each used once.
    pub fn roll(&mut self) -> Dice {
        if self.at + 16 > BLOCK {
            let mut filled = 0;
            while let Some(rest) = self.block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
                    Ok(n) => filled += n,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => panic!("the system gives no random bytes: {error}"),
                }
            }
            self.at = 0;
        }
        let mut dice = [0; 16];
        if let Some(bytes) = self.block.get_mut(self.at..self.at + 16) {
            dice.copy_from_slice(bytes);
            bytes.fill(0);
        }
        self.at += 16;
        Dice(dice)
    }
}

impl Default for Chance {
    fn default() -> Chance {
        Chance::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_roll_repeats_another() {
        let mut chance = Chance::new();
        let rolls: BTreeSet<[u8; 16]> = (0..1000).map(|_| chance.roll().0).collect();
        assert_eq!(rolls.len(), 1000);
    }
}
