//! What many runs together must have seen. Decides whether a campaign proves what it claims: every run counted, the rare
//! faults often enough, the dangerous places reached, and one seed in a hundred the same when run again. Holds #143, #144.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::mutants::twice;
use crate::run::Report;

/// A campaign of so many seeds is a gate, and each as many again must see as much again.
pub const GATE: u64 = 500;
/// What a gate must have seen: name and how often.
const FLOORS: &[(&str, u64)] = &[
    ("power-cut", 200),
    ("last-commit-in-doubt", 50),
    ("rot", 50),
    ("full-disk", 20),
    ("topic-deleted-by-a-client", 1_000),
    ("topic-grown-by-a-client", 500),
    ("log-trimmed-by-a-client", 500),
];
/// Dangerous places that a gate must have reached.
pub const PLACES: &[&str] = &[
    "back-from-direct-to-the-ring",
    "checkpoint-renamed-and-directory-not-synced",
    "checkpoint-with-commits-in-flight",
    "direct-batch-landed",
    "direct-batch-named-again",
    "duplicate-in-window",
    "duplicate-parked",
    "fetch-session-had-no-news",
    "fetch-session-was-lost",
    "fetch-session-went-on",
    "file-recycled-after-the-checkpoint-that-knew-it",
    "moved-behind-newer",
    "old-life-of-a-recycled-file",
    "resumed-durable-and-ready-not",
    "retention-took-a-segment",
    "rot-below-the-mark",
    "second-commit-done-first",
    "second-of-two-commits-whole-and-first-not",
    "setting-altered-by-a-client",
    "snapshot-written",
    "spill-met-a-full-disk",
    "spill-synced-and-checkpoint-not",
    "start-of-several-commits",
    "torn-batch",
    "work-passed-to-another-shard",
];
/// One seed in so many runs twice.
const AGAIN: u64 = 100;

/// A total: its name, and what a run adds to it.
type Sum = (&'static str, fn(&Report) -> u64);

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    /// One for each seed.
    pub reports: Vec<Report>,
    /// Seeds that ran twice, and what differed.
    pub again: Vec<(u64, Option<String>)>,
}

impl Campaign {
    /// Adds a run, and runs it again if it is its turn.
    pub fn add(&mut self, report: Report, again: Option<(u64, Option<String>)>) {
        self.reports.push(report);
        self.again.extend(again);
    }

    /// Whether this seed's turn has come to run twice, and what differed.
    pub fn again(seed: u64) -> Option<(u64, Option<String>)> {
        seed.is_multiple_of(AGAIN).then(|| (seed, twice(seed)))
    }

    fn sum(&self, of: fn(&Report) -> u64) -> u64 {
        self.reports.iter().map(of).sum()
    }

    /// How often each fault struck and each place was reached.
    pub fn seen(&self) -> (BTreeMap<&'static str, u64>, BTreeMap<&'static str, u64>) {
        let (mut faults, mut places) = (BTreeMap::new(), BTreeMap::new());
        for report in &self.reports {
            for (kind, n) in &report.faults {
                *faults.entry(*kind).or_default() += n;
            }
            for (name, n) in &report.reached {
                *places.entry(*name).or_default() += n;
            }
        }
        (faults, places)
    }

    /// One line of totals.
    pub fn totals(&self) -> String {
        let mut text = format!("{} seeds:", self.reports.len());
        let sums: [Sum; 8] = [
            ("acknowledged", |one| one.acknowledged),
            ("read", |one| one.read),
            ("starts", |one| one.starts),
            ("excused", |one| one.excused),
            ("partitions offline", |one| one.offline),
            ("doubts", |one| one.doubts),
            ("refusals", |one| one.refusals),
            ("broken", |one| one.violations.len() as u64),
        ];
        for (name, of) in sums {
            let _ = write!(text, " {} {name},", self.sum(of));
        }
        let _ = write!(
            text,
            " {} ran twice; faults {:?}",
            self.again.len(),
            self.seen().0
        );
        text
    }

    /// Everything that makes the campaign fail.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for report in &self.reports {
            if let Some(why) = report.vacuous() {
                complaints.push(format!("seed {} proves nothing: {why}", report.seed));
            }
        }
        for (seed, differs) in &self.again {
            if let Some(text) = differs {
                complaints.push(format!("seed {seed}: {text}"));
            }
        }
        let (offline, strikes) = (self.sum(|one| one.offline), self.sum(|one| one.strikes));
        if offline > strikes + self.sum(|one| one.faults.get("unreadable").copied().unwrap_or(0)) {
            complaints.push(format!(
                "{offline} partitions are offline, after {strikes} strikes at bytes"
            ));
        }
        let gates = self.reports.len() as u64 / GATE;
        if gates == 0 {
            return complaints;
        }
        let (faults, places) = self.seen();
        for (name, least) in FLOORS {
            let seen = faults.get(name).or(places.get(name)).copied().unwrap_or(0);
            if seen < least * gates {
                complaints.push(format!("{name}: {seen}, the least are {}", least * gates));
            }
        }
        for name in PLACES {
            if cfg!(feature = "mutants") && !places.contains_key(name) {
                complaints.push(format!("{name}: never reached"));
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(power: u64) -> Report {
        Report {
            acknowledged: 1_000,
            starts: 9,
            faults: [
                ("power-cut", power),
                ("rot", 1),
                ("full-disk", 1),
                ("kill", 5),
            ]
            .into(),
            reached: PLACES
                .iter()
                .chain(&["last-commit-in-doubt"])
                .map(|name| (*name, 1))
                .chain(
                    FLOORS
                        .iter()
                        .filter(|(name, _)| name.ends_with("-client"))
                        .map(|(name, n)| (*name, *n)),
                )
                .collect(),
            ..Report::default()
        }
    }

    fn campaign(of: Report) -> Campaign {
        Campaign {
            reports: vec![of; 500],
            again: Vec::new(),
        }
    }

    #[test]
    fn a_run_that_saw_nothing_is_told_as_vacuous_144() {
        let nothing = campaign(Report::default());
        assert_eq!(
            nothing.complaints().len(),
            500 + FLOORS.len() + PLACES.len() * usize::from(cfg!(feature = "mutants"))
        );
        assert_eq!(campaign(seen(1)).complaints(), Vec::<String>::new());
    }

    #[test]
    fn a_gate_without_its_rare_faults_fails_144() {
        let told = campaign(seen(0)).complaints();
        assert_eq!(told, ["power-cut: 0, the least are 200"]);
        let mut differs = campaign(seen(1));
        differs.again.push((100, Some("differs".to_owned())));
        assert_eq!(differs.complaints(), ["seed 100: differs"]);
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_vacuous_run_that_passes_is_caught_144() {
        sawlog_core::proof::choose(Some("vacuous-passes"));
        let told = Report::default().vacuous();
        let fired = sawlog_core::proof::fired();
        sawlog_core::proof::choose(None);
        assert!(fired > 0 && told.is_none());
        assert!(Report::default().vacuous().is_some(), "#144");
    }
}
