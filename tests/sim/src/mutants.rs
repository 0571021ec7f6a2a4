//! Known bugs, put back one at a time: each must be caught by a check of its own row, and the same seeds pass without
//! it. Decides which seeds are tried; the bugs themselves stand where they once were (`proof::mutant`).

use crate::run::{Report, run};

/// A known bug, the seed that is known to catch it, and the rules of the checker that must.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name in the code.
    pub name: &'static str,
    /// Its row in the list of mutants.
    pub id: &'static str,
    /// The first seed to try.
    pub seed: u64,
    /// Any of these rules catches it; empty where a stopped assertion does.
    pub rules: &'static [u8],
}

/// What became of one.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Caught at this seed, after so many, by this rule and what it said.
    Caught(u64, u64, String),
    /// It never had its way: nothing was proved.
    NeverFired(u64),
    /// It had its way so many times and nothing noticed.
    Missed(u64),
}

const ANY: &[u8] = &[1, 2, 3, 4, 7, 8, 9, 16];

/// All that the simulator catches so far; further ones are caught by tests of the core (`--features mutants`).
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "ack-at-next",
        id: "M7",
        seed: 1,
        rules: ANY,
    },
    Mutant {
        name: "count-self-unsynced",
        id: "M8",
        seed: 1,
        rules: ANY,
    },
    Mutant {
        name: "no-dir-fsync",
        id: "M12",
        seed: 1,
        rules: ANY,
    },
    Mutant {
        name: "snapshot-misses-last-batch",
        id: "M27",
        seed: 1,
        rules: ANY,
    },
    Mutant {
        name: "ring-id-ignored",
        id: "M52",
        seed: 1,
        rules: ANY,
    },
    Mutant {
        name: "recycle-without-dirsync",
        id: "M53",
        seed: 10,
        rules: ANY,
    },
    Mutant {
        name: "header-outside-checksum",
        id: "M20",
        seed: 20,
        rules: ANY,
    },
];

/// Tries up to `seeds` seeds from the mutant's own on.
#[cfg(feature = "mutants")]
pub fn hunt(mutant: &Mutant, seeds: u64) -> Fate {
    use sawlog_core::proof;
    let mut fired = 0;
    for (tried, seed) in (mutant.seed..mutant.seed + seeds).enumerate() {
        proof::choose(Some(mutant.name));
        let broken = std::panic::catch_unwind(|| run(seed, false));
        fired += proof::fired();
        proof::choose(None);
        let caught = match &broken {
            Ok(report) => first_of(report, mutant.rules),
            Err(_) => Some("an assertion stopped it".to_owned()),
        };
        if let Some(how) = caught
            && first_of(&run(seed, false), mutant.rules).is_none()
        {
            return Fate::Caught(seed, tried as u64 + 1, how);
        }
    }
    if fired == 0 {
        Fate::NeverFired(seeds)
    } else {
        Fate::Missed(fired)
    }
}

/// Tries nothing: the bugs are not in this build.
#[cfg(not(feature = "mutants"))]
pub fn hunt(_mutant: &Mutant, seeds: u64) -> Fate {
    let _ = run;
    Fate::NeverFired(seeds)
}

#[cfg_attr(
    not(feature = "mutants"),
    expect(dead_code, reason = "only a build with the bugs hunts them")
)]
fn first_of(report: &Report, rules: &[u8]) -> Option<String> {
    let broken = report
        .violations
        .iter()
        .find(|violation| rules.contains(&violation.rule))?;
    Some(format!(
        "rule {} {}: {}",
        broken.rule, broken.name, broken.text
    ))
}
