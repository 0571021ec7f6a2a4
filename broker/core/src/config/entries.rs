//! The whole table of settings as one list: what acts, what is only shown, what may be
//! given and changes nothing, what is refused though Kafka knows it.
//! Decides nothing of its own; `sawlog config explain`, the reference and the tests read it.

use super::moot::MOOT;
use super::shown::{SHOWN, SHOWN_OF_BROKER, ShownKey};
use super::table::{BROKER, When};
use super::topics::TOPIC;
use super::value::Kind;
use super::{kafka, nearest};

/// Whose setting it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// A broker's.
    Broker,
    /// A topic's.
    Topic,
}

/// What becomes of a setting that is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It does something.
    Acts,
    /// Its one value says what holds anyway, and any other is refused.
    Shown,
    /// It is about something inside Kafka's broker. It may be given at the start, with a warning that it changes nothing.
    Moot,
    /// Kafka knows it, and nothing here acts on it: it is refused by name.
    Refused,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Kafka's name, or ours below `sawlog.`.
    pub name: &'static str,
    /// Whose.
    pub scope: Scope,
    /// What becomes of it.
    pub standing: Standing,
    /// Its kind and bounds; none of what is refused.
    pub kind: Option<Kind>,
    /// Its default, or the one value that is shown; empty where it has none.
    pub default: &'static str,
    /// When it may change.
    pub when: When,
    /// For a topic's: the broker's setting that gives its default; empty if there is none.
    pub broker: &'static str,
    /// What it does, or what holds.
    pub text: &'static str,
}

/// All settings: the broker's, then the topics', each in the order of the table.
pub fn entries() -> impl Iterator<Item = Entry> {
    let broker = BROKER.iter().map(|key| Entry {
        name: key.name,
        scope: Scope::Broker,
        standing: Standing::Acts,
        kind: Some(key.kind),
        default: key.default,
        when: key.when,
        broker: "",
        text: key.text,
    });
    let topic = TOPIC.iter().map(|key| Entry {
        name: key.name,
        scope: Scope::Topic,
        standing: Standing::Acts,
        kind: Some(key.kind),
        default: key.default,
        when: When::Running,
        broker: key.broker,
        text: key.text,
    });
    broker
        .chain(shown(SHOWN_OF_BROKER, Scope::Broker))
        .chain(moot())
        .chain(refused(kafka::BROKER, Scope::Broker))
        .chain(topic)
        .chain(shown(SHOWN, Scope::Topic))
        .chain(refused(kafka::TOPIC, Scope::Topic))
}

fn shown(keys: &'static [ShownKey], scope: Scope) -> impl Iterator<Item = Entry> {
    keys.iter().map(move |key| Entry {
        name: key.name,
        scope,
        standing: Standing::Shown,
        kind: Some(key.kind),
        default: key.value,
        when: key.when,
        broker: "",
        text: key.text,
    })
}

fn moot() -> impl Iterator<Item = Entry> {
    MOOT.iter().map(|key| Entry {
        name: key.name,
        scope: Scope::Broker,
        standing: Standing::Moot,
        kind: Some(key.kind),
        default: "",
        when: When::AtStart,
        broker: "",
        text: key.text,
    })
}

fn refused(names: &'static str, scope: Scope) -> impl Iterator<Item = Entry> {
    names.split_whitespace().map(move |name| Entry {
        name,
        scope,
        standing: Standing::Refused,
        kind: None,
        default: "",
        when: When::AtStart,
        broker: "",
        text: "Kafka knows it; nothing here acts on it yet.",
    })
}

/// The setting that somebody probably meant, if any is like this name.
pub fn alike(name: &str) -> Option<&'static str> {
    nearest::nearest(name, entries().map(|entry| entry.name))
}
