//! Which known name somebody probably meant: the one with fewest slips, or those that share parts with it.
//! Decides how alike two names are, and how many are offered; knows no setting.

use alloc::vec::Vec;

/// The name most like `wanted`, if one is like it at all: one slip for every four letters.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (wanted.len() / 4).clamp(1, 5);
    // What was typed is bounded too: a name of a megabyte is like none.
    if wanted.len() > 128 {
        return None;
    }
    names
        .filter(|name| name.len().abs_diff(wanted.len()) <= bound)
        .map(|name| (slips(wanted, name), name))
        .filter(|(far, _)| *far <= bound)
        .min()
        .map(|(_, name)| name)
}

/// As many names as are offered where none is like the one that was given.
const SHARING_MAX: usize = 5;

/// The names that have most parts of `wanted`, in the order they are known in: none if not one has any.
pub(super) fn sharing<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if wanted.len() > 128 {
        return Vec::new();
    }
    let parts = |name: &'a str| name.split('.');
    let common = |name| parts(name).filter(|part| wanted.split('.').any(|one| one == *part));
    let mut near: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let shared = common(name).count();
        if shared > 0 && !near.iter().any(|(_, other)| *other == name) {
            near.push((shared, name));
        }
    }
    near.sort_by_key(|(shared, _)| core::cmp::Reverse(*shared));
    near.truncate(SHARING_MAX);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one name the other.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<u8>, Vec<u8>) = (a.bytes().collect(), b.bytes().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&last, j) + usize::from(x != y))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = core::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_share_parts_are_offered_few_and_the_nearest_first() {
        let names = [
            "a.ms",
            "retention.ms",
            "b.ms",
            "retention.check.ms",
            "retention.ms",
            "c.ms",
            "d.ms",
            "e.ms",
        ];
        assert_eq!(
            sharing("retention.check.every.ms", names.into_iter()),
            ["retention.check.ms", "retention.ms", "a.ms", "b.ms", "c.ms"]
        );
        assert!(sharing("bogus.key", names.into_iter()).is_empty());
        assert!(sharing(&"ms.".repeat(1 << 20), names.into_iter()).is_empty());
    }

    #[test]
    fn a_swap_is_one_slip_and_what_is_alike_in_nothing_is_not_offered() {
        assert_eq!(slips("retention.ms", "retentoin.ms"), 1);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(
            nearest("retentoin.ms", ["segment.ms", "retention.ms"].into_iter()),
            Some("retention.ms")
        );
        assert_eq!(
            nearest("colour", ["segment.ms", "retention.ms"].into_iter()),
            None
        );
        assert_eq!(
            nearest(&"x".repeat(1 << 20), ["retention.ms"].into_iter()),
            None
        );
    }
}
