//! Decides what of the machine and of the programs is told with a result, so that a reader knows what it holds for. Names no
//! host, no user and no path.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::peer::{Programs, Subject};

/// On what a run was made, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Regime {
    /// Seconds since 1970.
    pub at: u64,
    /// The commit of the sources beside this generator; with a + where files were changed.
    pub commit: String,
    /// What the measured binary says of itself.
    pub sawlog: String,
    /// Apache Kafka, as its start script names it.
    pub kafka: String,
    /// Where librdkafka comes from.
    pub librdkafka: String,
    /// CPUs shared by all.
    pub cpus: u32,
    /// Memory of the machine, GiB.
    pub memory_gib: f64,
    /// Kernel and processor.
    pub host: String,
    /// The file system that the data lie on.
    pub disk: String,
    /// What the reader must know besides.
    pub note: String,
}

impl Regime {
    /// Reads it.
    #[must_use]
    pub fn of(programs: &Programs) -> Self {
        let sawlog = match &programs.sawlog {
            Some(Subject::Binary(binary)) => said(Command::new(binary).arg("--version")),
            Some(Subject::Running(_)) => "started elsewhere".to_owned(),
            Some(Subject::Limit) => "the limit broker in its place".to_owned(),
            None => "none".to_owned(),
        };
        let kilobytes: f64 = field("/proc/meminfo", "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or_default();
        Self {
            at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            commit: commit(),
            sawlog,
            kafka: programs
                .kafka
                .as_deref()
                .map_or("not run".to_owned(), kafka),
            librdkafka: crate::cell::PACKAGE.to_owned(),
            cpus: crate::host::cpus(),
            memory_gib: (kilobytes / f64::from(1 << 20) * 10.0).round() / 10.0,
            host: format!(
                "Linux {}, {}",
                field("/proc/sys/kernel/osrelease", ""),
                field("/proc/cpuinfo", "model name")
            ),
            disk: said(
                Command::new("stat")
                    .args(["-f", "-c", "%T"])
                    .arg(&programs.room),
            ),
            note: String::new(),
        }
    }

    /// Year, month and day.
    #[must_use]
    pub fn day(&self) -> String {
        let (year, month, day) = civil(self.at / 86_400);
        format!("{year}-{month:02}-{day:02}")
    }
}

/// What stands behind `prefix` and a colon in a file; its first line where there is no prefix.
fn field(path: &str, prefix: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(prefix));
    let value = line.and_then(|line| line.rsplit(':').next());
    value.unwrap_or_default().trim().to_owned()
}

fn said(command: &mut Command) -> String {
    command.output().map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

fn commit() -> String {
    let here = |words: &[&str]| {
        said(
            Command::new("git")
                .args(["-C", env!("CARGO_MANIFEST_DIR")])
                .args(words),
        )
    };
    let commit = here(&["rev-parse", "--short=7", "HEAD"]);
    let changed = here(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_empty() {
        commit
    } else {
        commit + "+"
    }
}

/// The version in the project file beside Kafka's start script.
fn kafka(script: &Path) -> String {
    let text = std::fs::read_to_string(script.with_file_name("pom.xml")).unwrap_or_default();
    let version = text
        .split_once("<kafka.version>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map_or("of an unknown version", |(version, _)| version);
    format!("Apache Kafka {version}")
}

/// Days since 1970 as year, month, day (Howard Hinnant's algorithm, in words of his: eras of 400 years from the first of March).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_as_the_calendar_has_them() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_779), (2026, 11, 22));
    }
}
