//! Where a broker's settings come from: `--data` and `-X` before the environment, that before the file, that before the
//! defaults. Decides whose word counts and shows who said what; what may be said is the table of keys' affair.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use sawlog_broker::{environment, properties};
use sawlog_core::config::{self, BrokerConfig, Scope, Standing};

/// What a node is started with.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Given {
    /// A file in the format of Kafka's server.properties
    #[arg(long, short = 'c', value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The directory of all data; before log.dirs anywhere else
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// One setting, for example -X log.dirs=/var/lib/sawlog
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Names and values that were said in one place.
type Pairs = Vec<(String, String)>;

/// What was said, by where it was said: the weakest first.
#[derive(Debug)]
pub(crate) struct Sources {
    layers: Vec<(String, Pairs)>,
    /// What is worth a line at the start.
    pub(crate) warnings: Vec<String>,
}

impl Sources {
    /// Reads all of them. `variables` is the environment.
    pub(crate) fn read(
        given: &Given,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Sources> {
        let mut layers = Vec::new();
        if let Some(file) = &given.config {
            let shown = file.display();
            let text = std::fs::read_to_string(file).with_context(|| format!("read {shown}"))?;
            let entries = properties::parse(&text).map_err(|why| anyhow!("{shown}: {why}"))?;
            let pairs = entries.into_iter().map(|(key, value, _)| (key, value));
            layers.push((format!("from {shown}"), pairs.collect()));
        }
        let environment = environment::read(variables);
        layers.push(("from the environment".to_owned(), environment.settings));
        let mut flags = Pairs::new();
        for pair in &given.set {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(anyhow!(
                    "-X {pair}: a setting is KEY=VALUE, for example -X num.partitions=3"
                ));
            };
            flags.push((key.trim().to_owned(), value.trim().to_owned()));
        }
        layers.push(("given by -X".to_owned(), flags));
        if let Some(data) = &given.data {
            let value = data.to_str();
            let value = value.ok_or_else(|| anyhow!("--data {}: not UTF-8", data.display()))?;
            let pair = ("log.dirs".to_owned(), value.to_owned());
            layers.push(("given by --data".to_owned(), vec![pair]));
        }
        let layers = overridden(layers);
        let mut warnings = environment.warnings;
        warnings.extend(awaited(&layers));
        warnings.extend(moot(&layers));
        Ok(Sources { layers, warnings })
    }

    /// The settings, or all that is wrong with them.
    pub(crate) fn settle(&self) -> Result<BrokerConfig> {
        let pairs = self.layers.iter().flat_map(|(_, pairs)| pairs);
        config::broker(pairs.map(|(key, value)| (key.as_str(), value.as_str()))).map_err(
            |complaints| {
                let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
                anyhow!("{}", lines.join("\nsawlog: "))
            },
        )
    }

    /// Every setting of a broker, below where it was said; a file that `--config` reads back as it is.
    pub(crate) fn print(&self) -> String {
        let mut page = String::new();
        let mut said: Vec<&str> = Vec::new();
        for (origin, pairs) in self.layers.iter().rev() {
            if !pairs.is_empty() {
                page.push_str(&format!("# {origin}\n"));
            }
            for (key, value) in pairs {
                page.push_str(&format!("{key}={}\n", properties::escape(value)));
                said.push(key);
            }
        }
        page.push_str("# defaults\n");
        let acts = config::entries()
            .filter(|entry| entry.scope == Scope::Broker && entry.standing == Standing::Acts);
        for entry in acts.filter(|entry| !said.contains(&entry.name)) {
            let twin = twins(entry.name).iter().any(|twin| said.contains(twin));
            if !entry.default.is_empty() && !twin {
                page.push_str(&format!("{}={}\n", entry.name, entry.default));
            }
        }
        page
    }
}

/// What is said of things that are not there yet, a line for each thing: such a setting is taken where it says what one
/// node would keep, for files made for Kafka name it, but nobody shall think that it does something.
fn awaited(layers: &[(String, Pairs)]) -> Vec<String> {
    let awaits = |key: &str| {
        let mut shown = config::SHOWN_OF_BROKER.iter();
        shown.find(|row| row.name == key)?.awaits
    };
    let lines = alike(layers, awaits).into_iter();
    let line = |(thing, keys)| {
        format!("{thing} are not there yet; of them is said, and changes nothing: {keys}")
    };
    lines.map(line).collect()
}

/// What is said about the inside of Kafka's broker, a line for each reason why it changes nothing.
fn moot(layers: &[(String, Pairs)]) -> Vec<String> {
    let reason = |key: &str| {
        let mut moot = config::MOOT.iter();
        moot.find(|row| row.name == key).map(|row| row.text)
    };
    let lines = alike(layers, reason).into_iter();
    let line = |(why, keys)| format!("of what was said, this changes nothing here: {keys}. {why}");
    lines.map(line).collect()
}

/// What is true of settings that were given, each with their names.
fn alike(
    layers: &[(String, Pairs)],
    what: impl Fn(&str) -> Option<&'static str>,
) -> Vec<(&'static str, String)> {
    let mut groups: Vec<(&str, String)> = Vec::new();
    for (key, _) in layers.iter().flat_map(|(_, pairs)| pairs) {
        let Some(what) = what(key) else {
            continue;
        };
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, keys)) => {
                keys.push_str(", ");
                keys.push_str(key);
            }
            None => groups.push((what, key.clone())),
        }
    }
    groups
}

/// Keys for one thing. Within one place Kafka's rule holds (the finer unit wins); of two places the stronger one's word
/// counts, in whichever spelling.
const TWINS: &[&[&str]] = &[
    &["node.id", "broker.id"],
    &["log.dirs", "log.dir"],
    &[
        "log.retention.ms",
        "log.retention.minutes",
        "log.retention.hours",
    ],
    &["log.roll.ms", "log.roll.hours"],
];

fn twins(name: &str) -> &'static [&'static str] {
    TWINS
        .iter()
        .find(|twins| twins.contains(&name))
        .copied()
        .unwrap_or_default()
}

/// Leaves out what a stronger place says as well.
fn overridden(mut layers: Vec<(String, Pairs)>) -> Vec<(String, Pairs)> {
    let mut stronger: Vec<String> = Vec::new();
    for (_, pairs) in layers.iter_mut().rev() {
        // Within one place the last word counts.
        let mut kept = Pairs::new();
        for (key, value) in std::mem::take(pairs).into_iter().rev() {
            let beaten = stronger
                .iter()
                .any(|other| *other == key || twins(&key).contains(&other.as_str()));
            if !beaten && !kept.iter().any(|(other, _)| *other == key) {
                kept.push((key, value));
            }
        }
        kept.reverse();
        stronger.extend(kept.iter().map(|(key, _)| key.clone()));
        *pairs = kept;
    }
    layers
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn sources(file: Option<&str>, variables: &[(&str, &str)], set: &[&str]) -> Sources {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("sawlog-settings-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let given = Given {
            config: file.map(|text| {
                std::fs::write(&path, text).unwrap();
                path.clone()
            }),
            data: None,
            set: set.iter().map(ToString::to_string).collect(),
        };
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let sources = Sources::read(&given, variables).unwrap();
        let _ = std::fs::remove_file(&path);
        sources
    }

    #[test]
    fn each_place_comes_before_the_next_in_whichever_spelling() {
        let (file, variable, flag) = (
            "num.partitions=2\nlog.retention.ms=2\nlog.dirs=/file\n",
            ("KAFKA_NUM_PARTITIONS", "3"),
            "num.partitions=4",
        );
        let of = |file, variables: &[_], set: &[&str]| {
            let config = sources(file, variables, set).settle().unwrap();
            (config.num_partitions, config.log_dir)
        };
        let own = |n, dir: &str| (n, dir.to_owned());
        assert_eq!(of(None, &[], &[]), own(1, "./data"));
        assert_eq!(of(Some(file), &[], &[]), own(2, "/file"));
        assert_eq!(of(Some(file), &[variable], &[]), own(3, "/file"));
        assert_eq!(of(Some(file), &[variable], &[flag]), own(4, "/file"));
        // The file's log.dirs would win over log.dir within one place.
        assert_eq!(of(Some(file), &[], &["log.dir=/flag"]), own(2, "/flag"));
        let hours = ("KAFKA_LOG_RETENTION_HOURS", "1");
        let config = sources(Some(file), &[hours], &[]).settle().unwrap();
        let hour = std::time::Duration::from_secs(3600);
        assert_eq!(config.topic.retention_time, Some(hour));
        let given = Given {
            data: Some("/data".into()),
            set: vec!["log.dirs=/flag".to_owned()],
            ..Given::default()
        };
        let config = Sources::read(&given, []).unwrap().settle().unwrap();
        assert_eq!(config.log_dir, "/data");
    }

    #[test]
    fn what_is_said_of_things_that_are_not_there_yet_is_told_in_a_line_for_each() {
        let variables = [
            ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
            ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
            ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
            ("KAFKA_DELETE_TOPIC_ENABLE", "true"),
        ];
        let sources = sources(None, &variables, &[]);
        assert!(sources.settle().is_ok());
        let [groups, transactions] = &sources.warnings[..] else {
            panic!("{:?}", sources.warnings);
        };
        assert!(groups.starts_with("consumer groups are not there yet"));
        assert!(
            groups.ends_with("group.initial.rebalance.delay.ms, offsets.topic.replication.factor")
        );
        assert!(transactions.ends_with("transaction.state.log.min.isr"));
    }

    #[test]
    fn what_is_said_about_the_inside_of_kafkas_broker_is_taken_with_a_word_that_it_changes_nothing()
    {
        let file = "num.network.threads=3\nnum.io.threads=8\nqueued.max.requests=500\n";
        let told = sources(Some(file), &[], &[]);
        assert!(told.settle().is_ok());
        let [threads, queue] = &told.warnings[..] else {
            panic!("{:?}", told.warnings);
        };
        let said =
            "of what was said, this changes nothing here: num.network.threads, num.io.threads. ";
        assert!(threads.starts_with(said), "{threads}");
        assert!(threads.contains("sawlog.shards"));
        assert!(
            queue.contains("queued.max.requests. ") && queue.contains("queued.max.request.bytes")
        );
        assert!(told.print().contains("num.io.threads=8"));
        // A slip is a slip, whatever it would have done.
        let wrong = sources(None, &[], &["num.io.threads=many"]).settle();
        let wrong = wrong.unwrap_err().to_string();
        assert!(
            wrong.starts_with("num.io.threads=many cannot be used"),
            "{wrong}"
        );
    }

    #[test]
    fn what_is_printed_says_where_it_comes_from_and_means_the_same_when_it_is_read_back() {
        let variable = ("KAFKA_LOG_RETENTION_MINUTES", "5");
        let file =
            "listeners=PLAINTEXT://127.0.0.1:0\nlog.dir=/with\\\\slash\nbroker.rack= a\\tb\n";
        let first = sources(Some(file), &[variable], &["num.partitions=7"]);
        let page = first.print();
        let lines: Vec<&str> = page.lines().collect();
        let at = |line: &str| lines.iter().position(|other| *other == line);
        assert_eq!(at("# given by -X"), Some(0), "{page}");
        assert_eq!(at("num.partitions=7"), Some(1));
        assert_eq!(at("# from the environment"), Some(2));
        assert!(at("# defaults") < at("node.id=1"));
        assert_eq!(at("log.retention.hours=168"), None, "{page}");
        assert_eq!(at("log.dirs=./data"), None, "{page}");
        let again = sources(Some(&page), &[], &[]).settle().unwrap();
        let first = first.settle().unwrap();
        let plain = |mut config: BrokerConfig| {
            config.given.clear();
            config
        };
        assert_eq!(plain(again), plain(first));
    }
}
