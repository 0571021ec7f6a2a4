//! Decides what is read of the machine around a cell: CPU and memory of a process, and who else was busy.
//! Linux's /proc only. Never decides when to look, nor how much of others' work spoils a round (`suite`).

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::figures::Figures;

/// CPU of one process so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// On a CPU by the scheduler's own count, in nanoseconds, of the threads alive now.
    exact: Duration,
    /// User and system in ticks of 10 ms, of all threads that ever were.
    ticked: Duration,
    /// How often one of its threads was put on a CPU.
    pub turns: u64,
}

impl Cpu {
    /// Reads the counters of `pid`.
    pub fn of(pid: u32) -> Result<Self> {
        let mut cpu = Self::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
            // A thread may end between the listing and the read.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let mut fields = text
                .split_whitespace()
                .map(|field| field.parse::<u64>().unwrap_or(0));
            cpu.exact += Duration::from_nanos(fields.next().unwrap_or(0));
            cpu.turns += fields.nth(1).unwrap_or(0);
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name may hold spaces; fields are counted behind its closing bracket: state is the third field, utime the 14th.
        let fields = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        cpu.ticked =
            Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1));
        Ok(cpu)
    }

    /// CPU time since `earlier`. The exact count, unless threads that ended took a visible share of it with them.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let exact = self.exact.saturating_sub(earlier.exact);
        let ticked = self.ticked.saturating_sub(earlier.ticked);
        let rounding = Duration::from_millis(30);
        if ticked > exact + rounding {
            ticked
        } else {
            exact
        }
    }
}

/// Resident memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most, so far.
    pub peak: u64,
}

impl Memory {
    /// Lets the peak of `pid` count from now on.
    pub fn forget_peak(pid: u32) -> Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").context("forget the peak of memory")
    }

    /// Reads VmRSS and VmHWM of `pid`.
    pub fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        Ok(Self {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
        })
    }
}

/// Time of all CPUs together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    busy: Duration,
    steal: Duration,
}

impl Machine {
    /// Reads the first line of /proc/stat.
    pub fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let tick =
            Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second().max(1))?;
        let fields: Vec<u32> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [user, nice, system, _idle, _wait, irq, softirq, steal, ..] = *fields.as_slice() else {
            anyhow::bail!("/proc/stat has another form here");
        };
        Ok(Self {
            busy: (user + nice + system + irq + softirq) * tick,
            steal: steal * tick,
        })
    }

    /// (busy, stolen by the host) since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> (Duration, Duration) {
        (
            self.busy.saturating_sub(earlier.busy),
            self.steal.saturating_sub(earlier.steal),
        )
    }
}

/// All counters at one end of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    at: Instant,
    broker: Option<(Cpu, Memory)>,
    generator: Cpu,
    machine: Machine,
}

impl Snapshot {
    /// Reads the counters of the broker, where it is known, of the generator and of the machine.
    pub fn take(broker: Option<u32>, generator: u32) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            broker: broker
                .map(|pid| Ok::<_, anyhow::Error>((Cpu::of(pid)?, Memory::of(pid)?)))
                .transpose()?,
            generator: Cpu::of(generator)?,
            machine: Machine::now()?,
        })
    }

    /// When it was taken.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// What happened between two of them; requests and records are the caller's to fill in.
    #[must_use]
    pub fn since(&self, before: &Self) -> Figures {
        let (busy, steal) = self.machine.since(before.machine);
        let own = self.generator.since(before.generator);
        let broker = self.broker.zip(before.broker);
        let spent = broker.map(|((after, _), (before, _))| after.since(before));
        Figures {
            seconds: (self.at - before.at).as_secs_f64(),
            broker_cpu: spent.map(|spent| spent.as_secs_f64()),
            broker_turns: broker
                .map(|((after, _), (before, _))| after.turns.saturating_sub(before.turns)),
            own_cpu: own.as_secs_f64(),
            foreign_cpu: busy
                .saturating_sub(own + spent.unwrap_or_default())
                .as_secs_f64(),
            steal: steal.as_secs_f64(),
            resident: self.broker.map(|(_, memory)| memory.resident),
            peak: self.broker.map(|(_, memory)| memory.peak),
            ..Figures::default()
        }
    }
}

/// Bytes that a process had the disk read.
pub fn bytes_read(pid: u32) -> Result<u64> {
    disk_io(pid, "read_bytes:")
}

/// Bytes that a process had the disk write, what still lies in the page cache among them.
pub fn bytes_written(pid: u32) -> Result<u64> {
    disk_io(pid, "write_bytes:")
}

fn disk_io(pid: u32, field: &str) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().parse().ok())
        .with_context(|| format!("/proc/{pid}/io has no {field}"))
}

/// Lets the kernel drop what it caches of the files under `dir`, once they are written back: reads go to the disk then.
pub fn forget_pages(dir: &Path) -> Result<()> {
    rustix::fs::sync();
    for entry in fs::read_dir(dir)?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            forget_pages(&path)?;
        } else if let Ok(file) = fs::File::open(&path) {
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// As many open files as this process, and those it starts, may have.
pub fn open_files_max() -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// CPUs that this process may use.
#[must_use]
pub fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// Bytes of all files under `dir`.
#[must_use]
pub fn disk_use(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk_use(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_is_seen() {
        let pid = std::process::id();
        let before = Cpu::of(pid).unwrap();
        let mut sum = 0_u64;
        for value in 0..20_000_000_u64 {
            sum = std::hint::black_box(sum ^ value);
        }
        assert!(
            Cpu::of(pid).unwrap().since(before) > Duration::from_millis(1),
            "{sum}"
        );
        let memory = Memory::of(pid).unwrap();
        assert!(memory.peak >= memory.resident && memory.resident > 0);
    }
}
