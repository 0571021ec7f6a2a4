//! How far a command is, on standard error and only where a person looks: a line that is written over. Decides how often;
//! never what is counted.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::time::{Duration, Instant};

const OFTEN: Duration = Duration::from_millis(200);

/// A line that tells how far it is.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When it was written last; `None` where nobody looks.
    last: Option<Instant>,
    began: Instant,
    written: bool,
}

impl Progress {
    /// Begins to tell. A person who types sees what he types instead.
    pub(crate) fn begin() -> Progress {
        Progress::to(stderr().is_terminal() && !stdin().is_terminal())
    }

    /// Begins to tell who watches a command that reads nothing.
    pub(crate) fn watched() -> Progress {
        Progress::to(stderr().is_terminal())
    }

    fn to(looks: bool) -> Progress {
        let now = Instant::now();
        Progress {
            last: looks.then_some(now),
            began: now,
            written: false,
        }
    }

    /// So many records by now.
    pub(crate) fn show(&mut self, records: u64) {
        let Some(last) = self.last.filter(|last| last.elapsed() >= OFTEN) else {
            return;
        };
        let rate = records as f64 / self.began.elapsed().as_secs_f64();
        // A terminal that is gone is no reason to fail.
        let _ = write!(stderr(), "\r\x1b[K{records} records, {rate:.0} a second");
        self.last = Some(last.max(Instant::now()));
        self.written = true;
    }

    /// Leaves the line empty.
    pub(crate) fn end(&mut self) {
        if self.written {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
