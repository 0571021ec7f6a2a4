//! Which keys and versions a broker serves (KIP-35), and which version of a request to speak: the highest that both know.
//! Decides that choice only; a key that the broker lacks is a refusal that names it, never a request that hangs (R8).

use alloc::collections::BTreeMap;
use core::fmt;

use sawlog_wire::messages::{ApiKey, ApiVersionsResponse};
use sawlog_wire::{Message, Request};

/// What a broker serves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Versions {
    served: BTreeMap<i16, (i16, i16)>,
}

/// A request that this broker does not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// Which.
    pub key: ApiKey,
    /// What we would have spoken: lowest and highest version.
    pub wanted: (i16, i16),
    /// What the broker serves, if it knows the key at all.
    pub served: Option<(i16, i16)>,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, (low, high)) = (self.key.name(), self.wanted);
        match self.served {
            None => write!(f, "the broker does not serve {key}"),
            Some((from, to)) => write!(
                f,
                "the broker serves {key} in versions {from} to {to}, and {low} to {high} are wanted"
            ),
        }
    }
}

impl Versions {
    /// As a broker tells them.
    pub fn of(answer: &ApiVersionsResponse) -> Versions {
        let served = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)));
        Versions {
            served: served.collect(),
        }
    }

    /// All that it serves: number of the key, lowest and highest version. Keys that this client does not know are there too.
    pub fn all(&self) -> impl Iterator<Item = (i16, i16, i16)> {
        self.served
            .iter()
            .map(|(key, (from, to))| (*key, *from, *to))
    }

    /// What it serves of a key: lowest and highest version.
    pub fn served(&self, key: ApiKey) -> Option<(i16, i16)> {
        self.served.get(&key.number()).copied()
    }

    /// The version to speak: the highest of `R`'s stable ones, at most `most`, that the broker serves.
    pub fn choose<R: Request>(&self, most: i16) -> Result<i16, Unsupported> {
        let wanted = (R::VERSIONS.from, <R as Message>::STABLE.min(most));
        let served = self.served(R::KEY);
        let refusal = Unsupported {
            key: R::KEY,
            wanted,
            served,
        };
        let (from, to) = served.ok_or(refusal)?;
        let version = wanted.1.min(to);
        if version < from.max(wanted.0) {
            Err(refusal)
        } else {
            Ok(version)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_wire::messages::api_versions::ApiVersion;
    use sawlog_wire::messages::{FetchRequest, MetadataRequest};

    fn served(from: i16, to: i16) -> Versions {
        let api = ApiVersion {
            api_key: ApiKey::Metadata.number(),
            min_version: from,
            max_version: to,
            ..Default::default()
        };
        Versions::of(&ApiVersionsResponse {
            api_keys: vec![api],
            ..Default::default()
        })
    }

    #[test]
    fn the_highest_version_that_both_know_is_spoken() {
        let stable = <MetadataRequest as Message>::STABLE;
        for (from, to, most, spoken) in [
            (0, 9, i16::MAX, 9),
            (0, 99, i16::MAX, stable),
            (4, 12, 8, 8),
            (0, 0, i16::MAX, 0),
        ] {
            assert_eq!(
                served(from, to).choose::<MetadataRequest>(most),
                Ok(spoken),
                "{from} to {to}, at most {most}"
            );
        }
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_by_name() {
        let none = served(0, 9).choose::<FetchRequest>(i16::MAX).unwrap_err();
        assert_eq!(none.to_string(), "the broker does not serve Fetch");
        let newer = served(90, 99)
            .choose::<MetadataRequest>(i16::MAX)
            .unwrap_err();
        assert!(
            newer
                .to_string()
                .contains("serves Metadata in versions 90 to 99"),
            "{newer}"
        );
        assert!(
            served(9, 12).choose::<MetadataRequest>(8).is_err(),
            "nothing between"
        );
    }
}
