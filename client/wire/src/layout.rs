//! The layout of a message as data: which fields, in which versions, in which order.
//!
//! Decides the printed form that `layout.snap` holds; never used to read or write a message.

use crate::primitives::Type;

/// A run of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub from: i16,
    /// The last; `i16::MAX` for "and all later".
    pub to: i16,
}

impl Versions {
    /// No version.
    pub const NONE: Self = Self { from: 0, to: -1 };

    /// Whether `version` is one of them.
    #[inline]
    pub const fn contains(self, version: i16) -> bool {
        self.from <= version && version <= self.to
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.from..=self.to
    }
}

/// What holds for a field besides its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The versions that carry it.
    pub carried: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its number, if it is a tagged field.
    pub tag: Option<u32>,
    /// Whether a version that lacks it may drop it silently.
    pub ignorable: bool,
}

/// A field of a [`Layout`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Its rules.
    pub rules: Rules,
    /// Its default, if it is not the type's own.
    pub default: Option<&'static str>,
}

/// A structure: its fields in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name.
    pub name: &'static str,
    /// Its fields.
    pub rows: &'static [Row],
}
