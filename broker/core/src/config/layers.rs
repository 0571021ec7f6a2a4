//! Who says what of a broker's setting, and whose word counts: one broker while it runs, all brokers while they run, this
//! node's start, nobody (KIP-226). Decides the order of these; what may be said, the table does.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::BrokerConfig;
use super::shown::SHOWN_OF_BROKER;
use super::table::{BROKER, COARSER, Source, When};
use crate::map::Map;

/// What was said, by whom.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// Of this broker while it runs.
    pub one: Option<&'a Map<String, String>>,
    /// Of all brokers while they run.
    pub all: Option<&'a Map<String, String>>,
    /// At its start.
    pub given: &'a [(String, String)],
}

/// One word about a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// The key by which it was said: its own, or a coarser unit of the same thing.
    pub name: &'static str,
    /// What was said.
    pub value: String,
    /// Who said it.
    pub source: Source,
}

impl Layers<'_> {
    /// What is said of a key, whose word counts first. A default in a coarser unit alone is not one of this key, as in Kafka.
    pub fn said(&self, key: &'static str) -> Vec<Said> {
        let coarser = COARSER.iter().find(|(fine, _)| *fine == key);
        let names: Vec<&'static str> = [key]
            .into_iter()
            .chain(
                coarser
                    .iter()
                    .flat_map(|(_, coarse)| coarse.iter().copied()),
            )
            .collect();
        let mut said = Vec::new();
        let mut hear = |source: Source, value: &dyn Fn(&str) -> Option<String>| {
            for name in &names {
                if let Some(value) = value(name) {
                    said.push(Said {
                        name,
                        value,
                        source,
                    });
                }
            }
        };
        hear(Source::Running, &|name| self.one?.get(name).cloned());
        hear(Source::RunningForAll, &|name| self.all?.get(name).cloned());
        hear(Source::Broker, &|name| {
            let (_, value) = self.given.iter().find(|(given, _)| given == name)?;
            Some(value.clone())
        });
        hear(Source::Default, &|name| {
            let acts = BROKER.iter().map(|key| (key.name, key.default));
            let shown = SHOWN_OF_BROKER.iter().map(|key| (key.name, key.value));
            let (_, value) = acts.chain(shown).find(|(known, _)| *known == name)?;
            (!value.is_empty()).then(|| value.to_owned())
        });
        if said
            .first()
            .is_some_and(|first| first.source == Source::Default && first.name != key)
        {
            said.clear();
        }
        said
    }
}

impl BrokerConfig {
    /// The settings of this node with what was said while the brokers run: of all of them, then of this one. A word that
    /// this build does not take (a later one wrote it) changes nothing.
    pub fn running<'a>(&self, said: impl Iterator<Item = &'a Map<String, String>>) -> BrokerConfig {
        let mut config = self.clone();
        for (name, value) in said.flatten() {
            let key = BROKER.iter().find(|key| key.name == name);
            if let Some(key) = key.filter(|key| key.when == When::Running)
                && let Ok(value) = key.kind.parse(value)
            {
                // A reason that its kind cannot know: as above.
                let _ = (key.set)(&mut config, value);
            }
        }
        config
    }
}
