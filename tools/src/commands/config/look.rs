//! Settings as they are: of topics and brokers, what was set of them, what differs between two. Decides what is shown;
//! changes nothing.

use std::collections::BTreeMap;

use sawlog_client::{Client, Config, ConfigSource, Error, Resource, Synonym};
use serde_json::{Value, json};

use super::{Describe, Diff, List, explain, present, title};
use crate::cluster::failure;
use crate::exit::{Exit, Failure};
use crate::table::Table;
use crate::tally::Tally;

const COLUMNS: &[&str] = &["resource", "name", "key", "value", "source"];

/// What tells one broker from another anyway.
const APART: &[&str] = &[
    "advertised.listeners",
    "broker.id",
    "broker.rack",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
];

pub(super) async fn list(arguments: &List) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let known = kafka.metadata(None).await;
    let known = known.map_err(|error| failure("cannot list settings", &error))?;
    let topics = known.topics.keys();
    let mut resources: Vec<Resource> = topics.map(|name| Resource::Topic(name.clone())).collect();
    resources.extend(known.brokers.keys().map(|id| Resource::Broker(id.0)));
    resources.push(Resource::Brokers);
    let (mut tally, mut table) = (Tally::default(), Table::new(arguments.output, COLUMNS));
    for resource in &resources {
        let found = read(&kafka, resource, &mut tally).await;
        let set = found.iter().filter(|config| config.source == own(resource));
        set.for_each(|config| row(&mut table, resource, config));
    }
    table.end_or("nothing was set at run time")?;
    Ok(tally.exit())
}

pub(super) async fn describe(arguments: &Describe) -> Result<Exit, Failure> {
    let kafka = arguments.cluster.connect().await?;
    let (mut tally, mut table) = (Tally::default(), Table::new(arguments.output, COLUMNS));
    let resources = present(&kafka, arguments.whose.resources(), &mut tally).await?;
    for resource in &resources {
        let found = match settings(&kafka, resource).await {
            Ok(found) => found,
            Err(error) => {
                tally.count(&format!("cannot describe {}", title(resource)), &Err(error));
                continue;
            }
        };
        for key in &arguments.keys {
            // What all brokers are given names nothing that was not given.
            let there = found.iter().any(|config| config.name == *key);
            if there || *resource == Resource::Brokers {
                tally.done();
                continue;
            }
            let what = format!("cannot describe {key} of {}", title(resource));
            let why = "there is no setting of this name";
            tally.refuse(Exit::NotFound, what, why, explain::nearest(key));
        }
        if arguments.keys.is_empty() {
            tally.done();
        }
        let named = |config: &&Config| {
            (arguments.keys.is_empty() || arguments.keys.contains(&config.name))
                && (!arguments.changed || config.source != ConfigSource::Default)
        };
        let shown = found.iter().filter(named);
        shown.for_each(|config| row(&mut table, resource, config));
    }
    table.end()?;
    Ok(tally.exit())
}

/// The settings of one; none where that fails, which is told.
async fn read(kafka: &Client, resource: &Resource, tally: &mut Tally) -> Vec<Config> {
    let found = settings(kafka, resource).await;
    let result = found.as_ref().map(|_| ()).map_err(Clone::clone);
    tally.count(&format!("cannot describe {}", title(resource)), &result);
    found.unwrap_or_default()
}

pub(super) async fn settings(kafka: &Client, resource: &Resource) -> Result<Vec<Config>, Error> {
    let found = kafka.describe_configs(std::slice::from_ref(resource)).await;
    let mut configs = Vec::new();
    for (_, found) in found {
        configs.extend(found?);
    }
    configs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(configs)
}

/// Where what is set at it stands.
pub(super) fn own(resource: &Resource) -> ConfigSource {
    match resource {
        Resource::Topic(_) => ConfigSource::Topic,
        Resource::Broker(_) => ConfigSource::Broker,
        _ => ConfigSource::Cluster,
    }
}

fn row(table: &mut Table, resource: &Resource, config: &Config) {
    let (kind, name) = match resource {
        Resource::Topic(name) => ("topic", Some(name.clone())),
        Resource::Broker(id) => ("broker", Some(id.to_string())),
        _ => ("brokers", None),
    };
    let said = |said: &Synonym| json!({"source": said.source.name(), "key": said.name, "value": said.value});
    let synonyms: Vec<Value> = config.synonyms.iter().map(said).collect();
    table.row(
        &config.name,
        json!({"resource": kind, "name": name, "key": config.name, "value": config.value,
            "source": config.source.name(), "read_only": config.read_only, "sensitive": config.sensitive,
            "synonyms": synonyms}),
    );
}

pub(super) async fn diff(arguments: &Diff) -> Result<Exit, Failure> {
    let resource = |text: &String| match (arguments.topics, text.parse()) {
        (true, _) => Ok(Resource::Topic(text.clone())),
        (false, Ok(id)) => Ok(Resource::Broker(id)),
        (false, Err(_)) => Err(Failure::told(
            Exit::Usage,
            format!("cannot compare {text}"),
            "a broker is named by its id".to_owned(),
            "Topics are compared with --topics",
        )),
    };
    let wanted = vec![resource(&arguments.left)?, resource(&arguments.right)?];
    let kafka = arguments.cluster.connect().await?;
    let mut tally = Tally::default();
    let mut both: BTreeMap<String, [Option<Config>; 2]> = BTreeMap::new();
    for (side, resource) in present(&kafka, wanted, &mut tally)
        .await?
        .iter()
        .enumerate()
    {
        for config in read(&kafka, resource, &mut tally).await {
            if let Some(place) = both.entry(config.name.clone()).or_default().get_mut(side) {
                *place = Some(config);
            }
        }
    }
    match tally.exit() {
        Exit::Done => {}
        // Half of a comparison is none.
        Exit::SomeFailed => return Ok(Exit::NotFound),
        exit => return Ok(exit),
    }
    let mut table = Table::new(arguments.output, &["key", "left", "right"]);
    let mut exit = Exit::Done;
    for (key, sides) in &both {
        let apart = !arguments.topics && !arguments.all && APART.contains(&key.as_str());
        let [left, right] = sides
            .each_ref()
            .map(|side| side.as_ref().and_then(|one| one.value.clone()));
        let there = sides.iter().flatten().count() == 2;
        if apart || there && left == right {
            continue;
        }
        let sources = sides
            .each_ref()
            .map(|side| side.as_ref().map(|one| one.source.name()));
        let [left_source, right_source] = sources;
        exit = Exit::Problem;
        table.row(
            key,
            json!({"key": key, "left": left, "right": right, "left_source": left_source, "right_source": right_source}),
        );
    }
    table.end_or("they are equal")?;
    Ok(exit)
}
