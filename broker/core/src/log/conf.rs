//! Sizes and bounds of the engine: how they follow from the file system, and what tests may set smaller.
//! Decides numbers only. Every queue and cache of the engine has its bound here (#132).

use core::time::Duration;

use crate::config::Doubt;
use crate::file::Free;

/// Blocks of the durable ring: a commit begins on a fresh one (#96).
pub(crate) const BLOCK: u32 = 4096;

/// Memory for each batch that a cycle has met, at most: its places in its log's list and in its file's, whose queues double
/// as they grow, its line for the sidecar, and the slice that it is read as. Half a cycle's bytes may be that, no more.
const BATCH_STATE: u64 = 256;

/// What an engine runs by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineConf {
    /// What to do with a last commit that may be torn or rotten.
    pub doubt: Doubt,
    /// Bytes of a full-size ring file; none takes it from the file system.
    pub ring_file: Option<u32>,
    /// How many bytes the ring may grow to; none takes it from the file system.
    pub ring_max: Option<u64>,
    /// Most payload bytes of one commit, unless a single batch is larger.
    pub commit_max: u32,
    /// The file that a start or a founding writes into first; none: as the file system allows.
    pub first_file: Option<u32>,
    /// Most commits of a ring in flight.
    pub inflight_max: usize,
    /// Commits in a row that may leave what is copied forward behind.
    pub moved_passed_max: u32,
    /// Queued bytes beyond which sockets rest.
    pub hold_above: u64,
    /// Bytes that the spill may be behind before sockets rest: what the executor still has in memory. Reading back what
    /// has left it would cost more than all else, and the spill would fall behind for good.
    pub behind_max: u64,
    /// Queued bytes beyond which an append is refused.
    pub queue_max: u64,
    /// The fast ring is synced this long after a write ...
    pub flush_after: Duration,
    /// ... or after this many bytes.
    pub flush_bytes: u64,
    /// A directory that rests this long gets its last mark written.
    pub rest_after: Duration,
    /// How often segments are looked through for retirement.
    pub retention_every: Duration,
    /// Producers silent for longer are forgotten (#74).
    pub producer_idle: Duration,
    /// A log with no more than this in the ring may stay there, and is copied forward instead of getting a file.
    pub quiet_bytes: u64,
    /// A batch of so many bytes is a large one ...
    pub direct_min: u64,
    /// ... and after so many bytes of nothing else a log's batches go straight to their segment ...
    pub direct_after: u64,
    /// ... if it brought them within this time, or while sockets rest.
    pub direct_within: Duration,
    /// Most bytes of one write there, unless a single batch is larger.
    pub direct_max: u64,
    /// Bytes of sidecar windows kept in memory.
    pub windows_bytes: usize,
    /// Logs whose last partial block is kept in memory between spills.
    pub tails_max: usize,
    /// Bytes of one read, and of one block that is spilled.
    pub block_bytes: u32,
    /// Bytes read and not yet written while spilling.
    pub spill_bytes: u64,
    /// More dirty files than this are synced by one syncfs.
    pub sync_all_above: usize,
    /// Whether a reserve is kept that is given up when the disk is full.
    pub ballast: bool,
}

impl Default for EngineConf {
    fn default() -> EngineConf {
        EngineConf {
            doubt: Doubt::Cut,
            ring_file: None,
            ring_max: None,
            commit_max: 1 << 20,
            first_file: None,
            inflight_max: 2,
            moved_passed_max: 3,
            hold_above: 16 << 20,
            behind_max: 32 << 20,
            queue_max: 256 << 20,
            flush_after: Duration::from_millis(10),
            flush_bytes: 4 << 20,
            rest_after: Duration::from_millis(50),
            retention_every: Duration::from_secs(300),
            producer_idle: Duration::from_secs(7 * 24 * 3600),
            quiet_bytes: 4096,
            direct_min: 32 << 10,
            direct_after: 4 << 20,
            direct_within: Duration::from_millis(125),
            direct_max: 4 << 20,
            windows_bytes: 4 << 20,
            tails_max: 256,
            block_bytes: 1 << 20,
            spill_bytes: 8 << 20,
            sync_all_above: 8,
            ballast: true,
        }
    }
}

/// What follows from the settings and the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Bytes of a full-size ring file.
    pub ring_file: u32,
    /// Bytes of the file that a start or a founding writes into first, so that pre-writing is off its path.
    pub first_file: u32,
    /// Bytes that a ring may grow to.
    pub ring_max: u64,
    /// The largest batch.
    pub batch_max: u32,
    /// A spill cycle takes this many bytes of commits, and a checkpoint is written after as many.
    pub spill_every: u64,
    /// And no more batches than this, however small they are: what is known of each stays in memory until a cycle ends.
    pub spill_batches: u32,
    /// How far a spill stays behind: little enough that the executor still has the bytes in memory.
    pub spill_lag: u64,
    /// Bytes of a ring that only urgent commits may take when no other file is ready; of a small file half.
    pub reserve: u32,
    /// Below this many free bytes writes are refused (#105).
    pub free_low: u64,
    /// Bytes of the reserve that is given up then.
    pub ballast: u64,
}

impl Sizes {
    /// The sizes for this file system, of which each of so many shards has its part.
    pub fn of(conf: &EngineConf, space: Free, shards: u16) -> Sizes {
        let total = if space.total == 0 {
            u64::MAX
        } else {
            space.total
        };
        let block = u64::from(BLOCK);
        let part = total / u64::from(shards.max(1));
        let ring_file = conf
            .ring_file
            .map_or((part / 32).clamp(1 << 20, 64 << 20), u64::from)
            / block
            * block;
        let ring_max = conf
            .ring_max
            .unwrap_or((part / 8).min(1 << 30))
            .max(3 * ring_file);
        let spill_every = (ring_file / 2).min(32 << 20);
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        Sizes {
            ring_file: narrow(ring_file),
            first_file: narrow(conf.first_file.map_or(1 << 20, u64::from).min(ring_file)),
            ring_max,
            batch_max: narrow((ring_file / 4).min(32 << 20)),
            spill_every,
            spill_batches: narrow(spill_every / 2 / BATCH_STATE).max(1),
            spill_lag: (ring_file / 16).min(4 << 20),
            reserve: narrow((ring_file / 16 / block * block).max(block)),
            free_low: (total / 64).min(256 << 20).max(ring_file / 2),
            ballast: (total / 64).min(64 << 20) / block * block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_file_system() {
        let of = |total: u64| Sizes::of(&EngineConf::default(), Free { total, free: total }, 1);
        assert_eq!(of(1 << 40).ring_file, 64 << 20);
        assert_eq!(of(1 << 40).ring_max, 1 << 30);
        assert_eq!(of(1 << 40).batch_max, 16 << 20);
        assert_eq!(of(64 << 20).ring_file, 2 << 20);
        assert_eq!(of(16 << 20).ring_file, 1 << 20);
        assert_eq!(of(16 << 20).ring_max, 3 << 20);
        assert_eq!(of(16 << 20).batch_max, 256 << 10);
    }

    #[test]
    fn the_rings_of_all_shards_leave_most_of_the_file_system_to_segments() {
        for (total, shards) in [(1 << 30, 2), (1 << 30, 16), (64 << 30, 16), (1 << 40, 64)] {
            let sizes = Sizes::of(&EngineConf::default(), Free { total, free: total }, shards);
            let rings = 2 * u64::from(shards) * sizes.ring_max;
            assert!(rings <= total / 4, "{rings} of {total} for {shards} shards");
        }
    }
}
