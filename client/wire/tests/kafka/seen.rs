//! Which situations random values reached: each nullable null, empty and filled, each tagged field present and absent.
//! Decides what one message and version must have shown; a round trip that never met a null says nothing of it (#144).

use std::collections::BTreeSet;

use sawlog_wire::{
    layout::Layout,
    primitives::{At, Type},
};
use serde_json::{Map, Value};

use super::json::folded;

/// The situations of a message and version that no value has shown yet.
pub(crate) struct Unseen(BTreeSet<String>);

impl Unseen {
    pub(crate) fn of(layout: &Layout, at: At) -> Self {
        let mut wanted = BTreeSet::new();
        want(layout, at, "", &mut wanted);
        Self(wanted)
    }

    /// Takes off what this value shows, as `json::print` gives it.
    pub(crate) fn note(&mut self, layout: &Layout, at: At, value: &Value) {
        if let Value::Object(fields) = value {
            self.structure(layout, at, "", fields);
        }
    }

    pub(crate) fn left(&self) -> &BTreeSet<String> {
        &self.0
    }

    fn structure(&mut self, layout: &Layout, at: At, path: &str, fields: &Map<String, Value>) {
        for row in layout
            .rows
            .iter()
            .filter(|row| row.rules.carried.contains(at.version))
        {
            let path = format!("{path}.{}", row.name);
            match fields.get(&folded(row.name)) {
                None => drop(self.0.remove(&format!("{path} absent"))),
                Some(value) => {
                    self.0.remove(&format!("{path} present"));
                    self.value(&row.kind, at, &path, value);
                }
            }
        }
    }

    fn value(&mut self, kind: &Type, at: At, path: &str, value: &Value) {
        let is_empty = match value {
            Value::Array(items) => items.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        let how = match value {
            Value::Null => "null",
            _ if is_empty => "empty",
            _ => "filled",
        };
        self.0.remove(&format!("{path} {how}"));
        match (kind, value) {
            (Type::Struct(layout), Value::Object(fields)) => {
                self.structure(layout, at, path, fields)
            }
            (Type::Array(of), Value::Array(items)) => {
                let path = format!("{path}[]");
                items
                    .iter()
                    .for_each(|item| self.value(of, at, &path, item));
            }
            _ => {}
        }
    }
}

fn want(layout: &Layout, at: At, path: &str, wanted: &mut BTreeSet<String>) {
    for row in layout
        .rows
        .iter()
        .filter(|row| row.rules.carried.contains(at.version))
    {
        let path = format!("{path}.{}", row.name);
        let mut add = |how: &str| {
            wanted.insert(format!("{path} {how}"));
        };
        let nullable = row.rules.nullable.contains(at.version);
        let variable = matches!(
            row.kind,
            Type::String | Type::Bytes | Type::Records | Type::Array(_)
        );
        match row.rules.tag {
            // Its default does not travel: null of one that may be null, else empty. One that may be
            // null and says what its default is has another than null, so its null does travel.
            Some(_) => {
                ["absent", "present"].into_iter().for_each(&mut add);
                let is_structure = matches!(row.kind, Type::Struct(_));
                match row.default {
                    Some(_) if nullable && (variable || is_structure) => {
                        ["null", "filled"].into_iter().for_each(&mut add);
                    }
                    None if nullable && variable => add("empty"),
                    _ => {}
                }
            }
            None => {
                if nullable {
                    ["null", "filled"].into_iter().for_each(&mut add);
                }
                if variable {
                    ["empty", "filled"].into_iter().for_each(&mut add);
                }
            }
        }
        let (mut kind, mut path) = (row.kind, path);
        while let Type::Array(of) = kind {
            (kind, path) = (*of, path + "[]");
        }
        if let Type::Struct(inner) = kind {
            want(inner, at, &path, wanted);
        }
    }
}
