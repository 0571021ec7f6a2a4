//! `sawlog topic apply`: makes and changes topics until they are as a file says. Decides what has to be done, and shows it
//! first; never deletes, and never touches what the file does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read as _;

use sawlog_client::{Client, Config, ConfigChange, Error, Mode, NewTopic, Resource};
use sawlog_wire::Code;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Number, json};

use super::Apply;
use super::change::TOPIC;
use super::look::Topics;
use crate::cluster::failure;
use crate::exit::{Exit, Failure, say};
use crate::tally::Tally;

/// A topic as the file wants it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object that describes a topic")]
struct Wanted {
    #[serde(rename = "topic")]
    name: String,
    partitions: Option<i32>,
    replication: Option<i16>,
    #[serde(default)]
    configs: Option<Configs>,
}

impl Wanted {
    fn configs(&self) -> &[(String, String)] {
        self.configs.as_ref().map_or(&[], |configs| &configs.0)
    }
}

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Create(Wanted),
    Grow(String, i32),
    Alter(String, Vec<(String, String)>),
}

pub(super) async fn run(arguments: &Apply) -> Result<Exit, Failure> {
    let wanted = read(arguments)?;
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut steps = Vec::new();
    let mut as_it_says = true;
    let have = Have::ask(&kafka, &wanted).await;
    let have = have.map_err(|error| failure("nothing was applied", &error))?;
    for wanted in wanted {
        let what = format!("cannot apply {}", wanted.name);
        match plan(&have, &wanted) {
            Ok(Plan { refused, .. }) if !refused.is_empty() => {
                as_it_says = false;
                let next =
                    "Say what it has, or leave \"replication\" out: nothing here moves replicas";
                tally.untried(&wanted.name, json!({"topic": wanted.name}), &refused);
                tally.refuse(Exit::Failed, what, &refused, next.to_owned());
            }
            Ok(plan) => {
                if plan.steps.is_empty() {
                    tally.done();
                }
                steps.extend(plan.steps);
            }
            Err(why) => {
                as_it_says = false;
                let topic = json!({"topic": wanted.name});
                tally.changed(&wanted.name, topic, &what, &Err(why));
            }
        }
    }
    if steps.is_empty() {
        if as_it_says {
            say("everything is as the file says");
        }
        return tally.end(arguments.sure.results, TOPIC, arguments.sure.mode());
    }
    for step in &steps {
        say(&step.told());
    }
    if arguments.sure.dry_run {
        for step in steps {
            step.carry_out(&kafka, Mode::Validate, &mut tally).await?;
        }
        return tally.end(arguments.sure.results, TOPIC, arguments.sure.mode());
    }
    if arguments.sure.ask("Apply?")? {
        for step in steps {
            step.carry_out(&kafka, arguments.sure.mode(), &mut tally)
                .await?;
        }
    }
    tally.end(arguments.sure.results, TOPIC, arguments.sure.mode())
}

fn read(arguments: &Apply) -> Result<Vec<Wanted>, Failure> {
    let name = arguments.file.display().to_string();
    let wrong = |exit, why: String| {
        Failure::told(
            exit,
            format!("cannot apply {name}"),
            why,
            "--help shows what a file looks like",
        )
    };
    let mut text = String::new();
    let read = match name.as_str() {
        "-" => std::io::stdin().read_to_string(&mut text),
        _ => {
            std::fs::File::open(&arguments.file).and_then(|mut file| file.read_to_string(&mut text))
        }
    };
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong(Exit::NotFound, error.to_string()),
        _ => wrong(Exit::Failed, error.to_string()),
    })?;
    parse(&text).map_err(|why| wrong(Exit::Usage, why))
}

fn parse(text: &str) -> Result<Vec<Wanted>, String> {
    let topics: Vec<Wanted> = serde_json::from_str(text)
        .map_err(|error| format!("it is not the JSON it should be: {error}"))?;
    let mut names = BTreeSet::new();
    match topics.iter().find(|topic| !names.insert(&topic.name)) {
        Some(again) => Err(format!("{} is named twice", again.name)),
        None => Ok(topics),
    }
}

/// Settings by key, in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Configs(Vec<(String, String)>);

/// The value of one, as people write it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a setting is a string, a number, true or false")]
enum Setting {
    Text(String),
    Number(Number),
    Bool(bool),
}

impl<'de> Deserialize<'de> for Configs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Configs, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Configs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Configs, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            // A map would keep the last and say nothing.
            if pairs.iter().any(|(other, _)| *other == key) {
                let why = format!("{key:?} is said twice, and it is not told which counts");
                return Err(de::Error::custom(why));
            }
            let value = match map.next_value()? {
                Setting::Text(text) => text,
                Setting::Number(number) => number.to_string(),
                Setting::Bool(yes) => yes.to_string(),
            };
            pairs.push((key, value));
        }
        Ok(Configs(pairs))
    }
}

/// What is different.
#[derive(Default)]
struct Plan {
    steps: Vec<Step>,
    /// Why it cannot be made so, if it cannot.
    refused: String,
}

/// Topics as they are, and the settings of those that the file says settings of.
struct Have {
    topics: Topics,
    configs: BTreeMap<String, Result<Vec<Config>, Error>>,
}

impl Have {
    async fn ask(kafka: &Client, wanted: &[Wanted]) -> Result<Have, Error> {
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        let topics = kafka.topics(&names).await;
        // Where nobody answered nothing is known of any.
        let silent = |error: &&Error| error.code().is_none();
        if let Some(error) = topics
            .values()
            .filter_map(|one| one.as_ref().err())
            .find(silent)
        {
            return Err(error.clone());
        }
        let there = |wanted: &&Wanted| topics.get(&wanted.name).is_some_and(Result::is_ok);
        let say_some = wanted.iter().filter(|wanted| !wanted.configs().is_empty());
        let resources: Vec<Resource> = say_some
            .filter(there)
            .map(|wanted| Resource::Topic(wanted.name.clone()))
            .collect();
        let found = kafka.describe_configs(&resources).await.into_iter();
        let configs = found.filter_map(|(resource, configs)| match resource {
            Resource::Topic(name) => Some((name, configs)),
            _ => None,
        });
        Ok(Have {
            configs: configs.collect(),
            topics,
        })
    }
}

fn plan(have: &Have, wanted: &Wanted) -> Result<Plan, Error> {
    let topic = match have.topics.get(&wanted.name) {
        Some(Ok(topic)) => Some(topic),
        // Whatever else is said of it, it may be there.
        Some(Err(error)) if error.code() != Some(Code::UnknownTopicOrPartition) => {
            return Err(error.clone());
        }
        _ => None,
    };
    let Some(topic) = topic else {
        return Ok(Plan {
            steps: vec![Step::Create(wanted.clone())],
            ..Plan::default()
        });
    };
    // -1 asks for the broker's default, of a topic that is to be made.
    let replication = wanted.replication.filter(|wanted| *wanted != -1);
    for (number, partition) in &topic.partitions {
        let have = partition.replicas.len();
        if replication.is_some_and(|wanted| usize::try_from(wanted) != Ok(have)) {
            let wanted = replication.unwrap_or(-1);
            return Ok(Plan {
                refused: format!(
                    "partition {number} has {have} replicas, and the file says {wanted}"
                ),
                ..Plan::default()
            });
        }
    }
    let mut steps = Vec::new();
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if let Some(partitions) = wanted.partitions.filter(|wanted| *wanted != count) {
        // Fewer cannot be: the broker says so in its own words.
        steps.push(Step::Grow(wanted.name.clone(), partitions));
    }
    if let Some(found) = have.configs.get(&wanted.name) {
        let have = found.as_ref().map_err(Clone::clone)?;
        let differs = |(key, value): &&(String, String)| {
            !have
                .iter()
                .any(|config| config.name == *key && config.value.as_ref() == Some(value))
        };
        let changes: Vec<_> = wanted.configs().iter().filter(differs).cloned().collect();
        if !changes.is_empty() {
            steps.push(Step::Alter(wanted.name.clone(), changes));
        }
    }
    Ok(Plan {
        steps,
        ..Plan::default()
    })
}

impl Step {
    fn told(&self) -> String {
        let pairs = |configs: &[(String, String)]| {
            let pairs: Vec<String> = configs
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            pairs.join(" ")
        };
        match self {
            Step::Create(wanted) => {
                let partitions = wanted
                    .partitions
                    .map_or("default".to_owned(), |count| count.to_string());
                format!(
                    "+ {}: partitions {partitions} {}",
                    wanted.name,
                    pairs(wanted.configs())
                )
                .trim_end()
                .to_owned()
            }
            Step::Grow(name, count) => format!("~ {name}: partitions {count}"),
            Step::Alter(name, configs) => format!("~ {name}: {}", pairs(configs)),
        }
    }

    async fn carry_out(self, kafka: &Client, mode: Mode, tally: &mut Tally) -> Result<(), Failure> {
        let failed = |error| failure("cannot go on", &error);
        let results = match self {
            Step::Create(wanted) => {
                let mut topic = NewTopic::new(&wanted.name);
                topic = wanted
                    .partitions
                    .into_iter()
                    .fold(topic, NewTopic::partitions);
                topic = wanted
                    .replication
                    .into_iter()
                    .fold(topic, NewTopic::replication);
                for (key, value) in wanted.configs() {
                    topic = topic.config(key, value);
                }
                kafka
                    .create_or_judge(vec![topic], mode)
                    .await
                    .map_err(failed)?
            }
            Step::Grow(name, count) => kafka
                .create_partitions(&[(&name, count)], mode)
                .await
                .map_err(failed)?,
            Step::Alter(name, configs) => {
                let changes = configs
                    .into_iter()
                    .map(|(key, value)| ConfigChange::Set(key, value))
                    .collect();
                let done = kafka
                    .alter_configs(&[(Resource::Topic(name.clone()), changes)], mode)
                    .await;
                done.into_iter()
                    .map(|(_, result)| (name.clone(), result))
                    .collect()
            }
        };
        for (name, result) in results {
            let what = format!("cannot apply {name}");
            tally.changed(&name, json!({"topic": name}), &what, &result);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_topics_and_nothing_else() {
        let text = r#"[{"topic": "a", "partitions": 3, "configs": {"retention.ms": 5, "x": "y"}}, {"topic": "b"}]"#;
        let wanted = parse(text).unwrap();
        assert_eq!(
            wanted[0].configs(),
            [
                ("retention.ms".into(), "5".into()),
                ("x".into(), "y".into())
            ]
        );
        assert_eq!(
            (wanted[0].partitions, wanted[1].partitions),
            (Some(3), None)
        );
        // What a key says counts, not how it is spelt.
        let escaped =
            r#"[{"t\u006fpic": "a", "p\u0061rtitions": 3, "replication": null, "configs": null}]"#;
        let wanted = parse(escaped).unwrap();
        assert_eq!((&*wanted[0].name, wanted[0].partitions), ("a", Some(3)));
        for (text, said) in [
            ("{}", "expected a sequence"),
            ("[7]", "an object that describes a topic"),
            (r#"[{"partitions": 3}]"#, "missing field `topic`"),
            (
                r#"[{"topic": "a", "partition": 3}]"#,
                "unknown field `partition`, expected one of `topic`, `partitions`, `replication`, `configs`",
            ),
            (r#"[{"topic": "a", "partitions": "3"}]"#, "expected i32"),
            (r#"[{"topic": "a", "partitions": 3.5}]"#, "expected i32"),
            (
                r#"[{"topic": "a", "partitions": 3000000000}]"#,
                "`3000000000`, expected i32",
            ),
            (
                r#"[{"topic": "a", "configs": {"k": null}}]"#,
                "a setting is a string, a number, true or false",
            ),
            (
                r#"[{"topic": "a"}, {"topic": "b"}, {"topic": "\u0061"}]"#,
                "a is named twice",
            ),
            (
                "[{\"topic\": \"a\",\n\"configs\": {\"k\": 1,\n\"\\u006b\": 2}}]",
                "\"k\" is said twice, and it is not told which counts at line 3",
            ),
            (
                r#"[{"topic": "a", "partitions": 1, "p\u0061rtitions": 2}]"#,
                "duplicate field `partitions`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
