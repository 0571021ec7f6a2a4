//! Every message in every version comes back as it was: decode(encode(x)) = x (#128).
//! Oracle: the bytes themselves, of random values; that they are Kafka's bytes is held against Kafka's classes.

use sawlog_wire::{random::Dice, registry};

/// Random values per message and version.
const TIMES: usize = 1_000;

#[test]
fn every_message_comes_back_from_every_version() {
    for entry in registry::all() {
        let mut dice = Dice::new(7);
        for version in entry.versions.iter() {
            for _ in 0..TIMES {
                let bytes = (entry.sample)(&mut dice, version);
                assert_eq!((entry.recode)(&bytes, version), Ok(bytes), "{}", entry.name);
            }
        }
    }
}
