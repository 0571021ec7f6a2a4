//! Faults of the disk by strace: system calls of a running broker that fail, lie or wait.
//! Decides how an injection begins and ends; what must follow, and that it fired at all, is each story's claim.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::broker::{Broker, wait_until};
use crate::host::{has, is_root, not_run};

/// All calls that write at a place.
pub const WRITES: &str = "pwrite64,pwritev,pwritev2";
/// All calls that sync.
pub const SYNCS: &str = "fdatasync,fsync,syncfs";

/// Whether strace cannot be had here; says so.
pub fn missing(story: &str) -> bool {
    let missing = !is_root() || !has("strace");
    if missing {
        not_run(story, "no strace, or not root");
    }
    missing
}

/// strace on a running broker; ended when dropped.
#[derive(Debug)]
pub struct Injection {
    strace: Child,
    log: PathBuf,
}

/// A call that was met by the fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call(pub String);

impl Call {
    /// The last two numbers among its arguments: of a write, how many bytes and where.
    pub fn bytes_and_place(&self) -> Option<(u64, u64)> {
        let (_, arguments) = self.0.split_once('(')?;
        let arguments = arguments.split([')', '<']).next()?;
        let mut last = arguments.rsplit(',').map(|one| one.trim().parse().ok());
        let place = last.next()??;
        Some((last.next()??, place))
    }
}

impl Injection {
    /// From now on these calls of the broker meet this fault (in strace's words, `error=EIO`), on these files only, if
    /// any are named.
    pub fn begin(
        broker: &Broker,
        calls: &str,
        fault: &str,
        files: &[PathBuf],
        log: &Path,
    ) -> Result<Injection> {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-s0", "-o"]).arg(log);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:{fault}")]);
        for file in files {
            command.arg("-P").arg(file);
        }
        let strace = command.args(["-p", &broker.id().to_string()]).spawn()?;
        let mut injection = Injection {
            strace,
            log: log.to_owned(),
        };
        let tasks = format!("/proc/{}/task", broker.id());
        let strace = &mut injection.strace;
        wait_until("strace on every thread", || {
            let traced = std::fs::read_dir(&tasks).is_ok_and(|mut all| {
                all.all(|task| {
                    let status =
                        task.and_then(|task| std::fs::read_to_string(task.path().join("status")));
                    !status.unwrap_or_default().contains("TracerPid:\t0")
                })
            });
            // A fault may end the broker, and so strace, on the first threads, before strace holds the others.
            traced || strace.try_wait().is_ok_and(|ended| ended.is_some())
        })?;
        Ok(injection)
    }

    /// All calls that were traced so far, whether the fault met them or not.
    pub fn calls(&self) -> Result<Vec<Call>> {
        let text = std::fs::read_to_string(&self.log)?;
        Ok(text.lines().map(|line| Call(line.to_owned())).collect())
    }

    /// How many calls met the fault so far.
    pub fn fired(&self) -> Result<usize> {
        let text = std::fs::read_to_string(&self.log)?;
        Ok(text.matches("(INJECTED)").count() + text.matches("(DELAYED)").count())
    }

    /// Ends it, unless the broker's end has ended it; the broker goes on without the fault. Gives how many calls met it.
    pub fn end(mut self) -> Result<usize> {
        if self.strace.try_wait()?.is_none() {
            let id = i32::try_from(self.strace.id())?;
            let id = Pid::from_raw(id).context("process 0 is not ours")?;
            // It may end by itself meanwhile.
            let _ = kill_process(id, Signal::INT);
        }
        self.strace.wait()?;
        self.fired()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Gone already, most often.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}
