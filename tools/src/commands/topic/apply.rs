//! `sawlog topic apply`: makes and changes topics until they are as a file says. Decides what has to be done, and shows it
//! first; never deletes, and never touches what the file does not name.

use std::collections::BTreeSet;
use std::io::Read as _;

use sawlog_client::{Client, ConfigChange, Mode, NewTopic, Resource};
use serde_json::{Map, Value};

use super::Apply;
use crate::cluster::failure;
use crate::exit::{Exit, Failure, say};
use crate::tally::Tally;

/// A topic as the file wants it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Wanted {
    name: String,
    partitions: Option<i32>,
    replication: Option<i16>,
    configs: Vec<(String, String)>,
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
    for wanted in wanted {
        let what = format!("cannot apply {}", wanted.name);
        match plan(&kafka, &wanted).await {
            Ok(Plan { refused, .. }) if !refused.is_empty() => {
                as_it_says = false;
                let next =
                    "Say what it has, or leave \"replication\" out: nothing here moves replicas";
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
                tally.count(&what, &Err(why));
            }
        }
    }
    if steps.is_empty() {
        if as_it_says {
            say("everything is as the file says");
        }
        return Ok(tally.exit());
    }
    for step in &steps {
        say(&step.told());
    }
    if arguments.sure.dry_run {
        for step in steps {
            step.carry_out(&kafka, Mode::Validate, &mut tally).await?;
        }
        return Ok(tally.exit());
    }
    if arguments.sure.ask("Apply?")? {
        for step in steps {
            step.carry_out(&kafka, arguments.sure.mode(), &mut tally)
                .await?;
        }
    }
    Ok(tally.exit())
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
    let list: Vec<Map<String, Value>> = serde_json::from_str(text)
        .map_err(|error| format!("it is not the JSON it should be: {error}"))?;
    if let Some((line, key)) = twice(text) {
        return Err(format!(
            "line {line}: {key:?} is said twice, and it is not told which counts"
        ));
    }
    let mut topics: Vec<Wanted> = Vec::new();
    for fields in list {
        let topic = topic(fields)?;
        if topics.iter().any(|other| other.name == topic.name) {
            return Err(format!("{} is named twice", topic.name));
        }
        topics.push(topic);
    }
    Ok(topics)
}

/// The first key that an object of this JSON has twice, and its line. A map keeps the last and says nothing.
fn twice(text: &str) -> Option<(usize, String)> {
    let mut open: Vec<BTreeSet<&str>> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '"']) {
        let (_, from) = rest.split_at(at);
        match from.as_bytes().first() {
            Some(b'{') => open.push(BTreeSet::new()),
            Some(b'}') => drop(open.pop()),
            _ => {
                let mut escaped = false;
                let ends = |letter: char| {
                    let ends = letter == '"' && !escaped;
                    escaped = letter == '\\' && !escaped;
                    ends
                };
                let (word, behind) = from.get(1..)?.split_once(ends)?;
                let is_key = behind.trim_start().starts_with(':');
                if is_key && open.last_mut().is_some_and(|keys| !keys.insert(word)) {
                    let before = text.len() - from.len();
                    let lines = text.get(..before)?.matches('\n').count();
                    return Some((lines + 1, word.to_owned()));
                }
                rest = behind;
                continue;
            }
        }
        rest = from.get(1..)?;
    }
    None
}

fn topic(mut fields: Map<String, Value>) -> Result<Wanted, String> {
    let name = match fields.remove("topic") {
        Some(Value::String(name)) => name,
        _ => return Err("a topic has no \"topic\", its name".to_owned()),
    };
    let mut number = |field: &str| match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or(format!("{name}: {field} is no number")),
    };
    let partitions = number("partitions")?.map(i32::try_from).transpose();
    let replication = number("replication")?.map(i16::try_from).transpose();
    let large = |_| format!("{name}: a number is too large");
    let (partitions, replication) = (partitions.map_err(large)?, replication.map_err(large)?);
    let configs = match fields.remove("configs") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(configs)) => configs,
        Some(_) => return Err(format!("{name}: configs are no object")),
    };
    if let Some(other) = fields.keys().next() {
        return Err(format!(
            "{name}: {other:?} is none of topic, partitions, replication, configs"
        ));
    }
    let configs = configs.into_iter().map(|(key, value)| match value {
        Value::String(value) => Ok((key, value)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        _ => Err(format!("{name}: {key} is neither a string nor a number")),
    });
    Ok(Wanted {
        configs: configs.collect::<Result<_, _>>()?,
        name,
        partitions,
        replication,
    })
}

/// What is different.
#[derive(Default)]
struct Plan {
    steps: Vec<Step>,
    /// Why it cannot be made so, if it cannot.
    refused: String,
}

async fn plan(kafka: &Client, wanted: &Wanted) -> Result<Plan, sawlog_client::Error> {
    let known = kafka.metadata(Some(&[&wanted.name])).await?;
    let Some(topic) = known.topics.get(&wanted.name) else {
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
    let have = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if let Some(partitions) = wanted.partitions.filter(|wanted| *wanted != have) {
        // Fewer cannot be: the broker says so in its own words.
        steps.push(Step::Grow(wanted.name.clone(), partitions));
    }
    if !wanted.configs.is_empty() {
        let found = kafka
            .describe_configs(&[Resource::Topic(wanted.name.clone())])
            .await;
        let mut have = Vec::new();
        for (_, found) in found {
            have.extend(found?);
        }
        let differs = |(key, value): &&(String, String)| {
            !have
                .iter()
                .any(|config| config.name == *key && config.value.as_ref() == Some(value))
        };
        let changes: Vec<_> = wanted.configs.iter().filter(differs).cloned().collect();
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
                    pairs(&wanted.configs)
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
                for (key, value) in &wanted.configs {
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
                done.map_err(failed)?
                    .into_iter()
                    .map(|(_, result)| (name.clone(), result))
                    .collect()
            }
        };
        for (name, result) in results {
            tally.count(&format!("cannot apply {name}"), &result);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_twice_only_where_one_object_has_it_twice() {
        for (text, found) in [
            (r#"[{"a": 1}, {"a": 2}]"#, None),
            (r#"{"a": {"a": "a"}, "b": {"a": ":"}}"#, None),
            (r#"{"a\"": 1, "a": ["a", "a"], "x": "\\"}"#, None),
            (r#"{"a": {"b": 1}, "a": 2}"#, Some("a")),
            (r#"[{"x": [{"k" : 1, "k" : 2}]}]"#, Some("k")),
        ] {
            let key = twice(text).map(|(_, key)| key);
            assert_eq!(key.as_deref(), found, "{text}");
        }
    }

    #[test]
    fn a_file_names_topics_and_nothing_else() {
        let text = r#"[{"topic": "a", "partitions": 3, "configs": {"retention.ms": 5, "x": "y"}}, {"topic": "b"}]"#;
        let wanted = parse(text).unwrap();
        assert_eq!(
            wanted[0].configs,
            [
                ("retention.ms".into(), "5".into()),
                ("x".into(), "y".into())
            ]
        );
        assert_eq!(
            (wanted[0].partitions, wanted[1].partitions),
            (Some(3), None)
        );
        for (text, said) in [
            ("{}", "expected a sequence"),
            (r#"[{"partitions": 3}]"#, "no \"topic\""),
            (
                r#"[{"topic": "a", "partition": 3}]"#,
                "\"partition\" is none of",
            ),
            (
                r#"[{"topic": "a", "partitions": "3"}]"#,
                "partitions is no number",
            ),
            (
                r#"[{"topic": "a", "configs": {"k": null}}]"#,
                "k is neither",
            ),
            (r#"[{"topic": "a", "partitions": 3000000000}]"#, "too large"),
            (
                r#"[{"topic": "a"}, {"topic": "b"}, {"topic": "a"}]"#,
                "a is named twice",
            ),
            (
                "[{\"topic\": \"a\",\n\"configs\": {\"k\": 1,\n\"k\": 2}}]",
                "line 3: \"k\" is said twice",
            ),
            (
                r#"[{"topic": "a", "partitions": 1, "partitions": 2}]"#,
                "\"partitions\" is said twice",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
