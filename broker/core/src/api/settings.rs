//! Settings as clients are told them: each with its value, and who says what of it (KIP-226, KIP-525).
//! Decides which settings a resource has and where each value comes from; DescribeConfigs and CreateTopics say it in their
//! own forms. The values are `config`'s and the image's.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cluster::image::Image;
use crate::config::{
    self, BROKER, Kind, SHOWN, SHOWN_OF_BROKER, Said, ShownKey, Source, TopicConfig, When,
};
use crate::map::Map;

/// One setting of one resource.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// None of what has no default and was not given.
    pub(super) value: Option<String>,
    pub(super) kind: Kind,
    pub(super) text: &'static str,
    pub(super) read_only: bool,
    /// Who says what, whose word counts first.
    pub(super) said: Vec<Said>,
}

impl Setting {
    /// Where the value comes from.
    pub(super) fn source(&self) -> Source {
        self.said
            .first()
            .map_or(Source::Default, |first| first.source)
    }
}

/// Every setting of a topic that runs by `config` and was given these itself, by name.
pub(super) fn of_topic(
    image: &Image,
    config: &TopicConfig,
    given: impl Fn(&str) -> bool,
) -> Vec<Setting> {
    let layers = image.layers();
    let own = |name: &'static str, value: &str| {
        given(name).then(|| Said {
            name,
            value: value.to_owned(),
            source: Source::Topic,
        })
    };
    let acting = config::topic_values(config).map(|(key, value)| {
        let own = own(key.name, &value).into_iter();
        Setting {
            name: key.name,
            said: own.chain(layers.said(key.broker)).collect(),
            value: Some(value),
            kind: key.kind,
            text: key.text,
            read_only: false,
        }
    });
    let shown = SHOWN.iter().map(|key| {
        let own = own(key.name, key.value);
        shown(key, own)
    });
    sorted(acting.chain(shown))
}

/// Every setting of this node.
pub(super) fn of_broker(image: &Image) -> Vec<Setting> {
    let layers = image.layers();
    let acting = BROKER.iter().map(|key| {
        let said = layers.said(key.name);
        let value = said.iter().find(|said| said.name == key.name);
        Setting {
            name: key.name,
            value: value.map(|said| said.value.clone()),
            kind: key.kind,
            text: key.text,
            read_only: key.when == When::AtStart,
            said,
        }
    });
    let inert = SHOWN_OF_BROKER.iter().map(|key| {
        let mut said = layers.said(key.name);
        said.pop();
        shown(key, said)
    });
    sorted(acting.chain(inert))
}

/// What was given for all brokers while they run, and nothing else, as in Kafka.
pub(super) fn of_all_brokers(image: &Image) -> Vec<Setting> {
    let given: &Map<String, String> = match image.broker_settings(None) {
        Some(given) => given,
        None => return Vec::new(),
    };
    let mut all = of_broker(image);
    all.retain_mut(|setting| {
        setting
            .said
            .retain(|said| said.source == Source::RunningForAll);
        setting.value = given.get(setting.name).cloned();
        setting.value.is_some()
    });
    all
}

fn shown(key: &ShownKey, own: impl IntoIterator<Item = Said>) -> Setting {
    let holds = Said {
        name: key.name,
        value: key.value.to_owned(),
        source: Source::Default,
    };
    Setting {
        name: key.name,
        value: Some(key.value.to_owned()),
        kind: key.kind,
        text: key.text,
        read_only: key.when == When::AtStart,
        said: own.into_iter().chain([holds]).collect(),
    }
}

fn sorted(all: impl Iterator<Item = Setting>) -> Vec<Setting> {
    let mut all: Vec<Setting> = all.collect();
    all.sort_by_key(|setting| setting.name);
    all
}
