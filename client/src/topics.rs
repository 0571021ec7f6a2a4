//! Topics and who leads their partitions: by what is known, else by asking about all of them in one request, however many
//! they are. Decides what is asked again and for how long; what an answer means for what is known, the engine decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sawlog_engine::backoff::Backoff;
use sawlog_engine::metadata::{BrokerId, Metadata, Topic};
use sawlog_wire::Code;
use tokio::time::{Instant, sleep};

use crate::client::{Client, roll};
use crate::error::Error;
use crate::offsets::{Place, said};

/// For so long a topic that a broker does not know may have been made a moment ago, by another broker.
const JUST_MADE: Duration = Duration::from_millis(300);

/// A result for each topic, by name.
type Topics = BTreeMap<String, Result<Topic, Error>>;

impl Client {
    /// Topics as they are now, asked for in one request: a result for each. One that is not there is an error, and not a
    /// wait; one that was made a moment ago, or whose brokers are busy with it, is waited for. Kafka: Metadata, without
    /// creating them. Cancel safe.
    pub async fn topics(&self, names: &[&str]) -> Topics {
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        let mut left: Vec<&str> = BTreeSet::from_iter(names.iter().copied())
            .into_iter()
            .collect();
        let mut found = Topics::new();
        while !left.is_empty() {
            let wait = backoff.failed(roll());
            let told = match self.refresh(Some(&left)).await {
                Ok(told) => told,
                Err(error) => {
                    let each = left.into_iter().map(|name| name.to_owned());
                    found.extend(each.map(|name| (name, Err(error.clone()))));
                    break;
                }
            };
            left.retain(|name| {
                let topic = topic_of(&told, name);
                let again = topic.as_ref().err().is_some_and(|error| {
                    let patience = match error.code() {
                        Some(Code::UnknownTopicOrPartition) => JUST_MADE,
                        _ => self.limit(),
                    };
                    error.is_retriable() && begun.elapsed() + wait < patience
                });
                found.insert((*name).to_owned(), topic);
                again
            });
            drop(told);
            if !left.is_empty() {
                sleep(wait).await;
            }
        }
        found
    }

    /// A topic, after asking for it.
    pub(crate) async fn topic(&self, name: &str) -> Result<Topic, Error> {
        let mut found = self.topics(&[name]).await;
        found.remove(name).unwrap_or_else(|| Err(unknown(name)))
    }

    /// The partitions of a topic, by number. Kafka: Metadata, without creating it. Cancel safe.
    pub async fn partitions(&self, topic: &str) -> Result<Vec<i32>, Error> {
        Ok(self.topic(topic).await?.partitions.into_keys().collect())
    }

    /// What is known of these topics, after asking about those of which nothing is.
    pub(crate) async fn known_topics<'n>(&self, names: impl Iterator<Item = &'n str>) -> Topics {
        let (mut found, mut unknown) = (Topics::new(), Vec::new());
        self.look(|known| {
            for name in names {
                match known.topics.get(name) {
                    Some(topic) => drop(found.insert(name.to_owned(), Ok(topic.clone()))),
                    None => unknown.push(name),
                }
            }
        })
        .await;
        found.append(&mut self.topics(&unknown).await);
        found
    }

    /// Who leads these partitions, after asking about the topics of those of which nobody knows.
    pub(crate) async fn leaders(
        &self,
        places: &[&Place],
    ) -> BTreeMap<Place, Result<BrokerId, Error>> {
        let mut leaders = BTreeMap::new();
        let mut asked: Vec<&Place> = Vec::new();
        self.look(|known| {
            for place in places {
                match known.leader(&place.0, place.1) {
                    Some((leader, _)) => drop(leaders.insert((*place).clone(), Ok(leader))),
                    None => asked.push(place),
                }
            }
        })
        .await;
        let names: Vec<&str> = asked.iter().map(|(topic, _)| &**topic).collect();
        let topics = self.topics(&names).await;
        for place in asked {
            let leader = match topics.get(&*place.0) {
                Some(Ok(topic)) => leader_of(topic, place),
                Some(Err(error)) => Err(error.clone()),
                None => Err(unknown(&place.0)),
            };
            leaders.insert(place.clone(), leader);
        }
        leaders
    }

    /// A leader turned out not to be one: the next call asks who is.
    pub(crate) async fn forget(&self, topic: &str) {
        self.change(|known| drop(known.topics.remove(topic))).await;
    }
}

/// What the last answer says of a topic that it was asked about.
fn topic_of(told: &Metadata, name: &str) -> Result<Topic, Error> {
    match (told.topics.get(name), told.errors.get(name)) {
        (Some(topic), _) => Ok(topic.clone()),
        (None, Some(error)) => Err(Error::refused(name, *error, None)),
        (None, None) => Err(unknown(name)),
    }
}

fn leader_of(topic: &Topic, place: &Place) -> Result<BrokerId, Error> {
    let refused = |code: Code| Error::refused(&said(place), code.into(), None);
    let partition = topic.partitions.get(&place.1);
    let partition = partition.ok_or_else(|| refused(Code::UnknownTopicOrPartition))?;
    partition
        .leader
        .ok_or_else(|| refused(Code::LeaderNotAvailable))
}

fn unknown(name: &str) -> Error {
    Error::refused(name, Code::UnknownTopicOrPartition.into(), None)
}
