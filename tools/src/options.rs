//! Words that several commands take: codecs, acknowledgements, rates, sizes.
//! Decides what they mean, and what is said of one that means nothing; never what is done.

use sawlog_client::{Acks, Compression, Partitioner};

/// A codec by Kafka's name.
pub(crate) fn compression(text: &str) -> Result<Compression, String> {
    let found = Compression::ALL
        .into_iter()
        .find(|codec| codec.name() == text);
    found.ok_or_else(|| "none, gzip, snappy, lz4 and zstd are known".to_owned())
}

/// How many replicas are waited for.
pub(crate) fn acks(text: &str) -> Result<Acks, String> {
    match text {
        "all" | "-1" => Ok(Acks::All),
        "1" => Ok(Acks::Leader),
        "0" => Ok(Acks::None),
        _ => Err("all, 1 and 0 are known".to_owned()),
    }
}

/// A partition's number.
pub(crate) fn partition(text: &str) -> Result<i32, String> {
    let number = text.parse::<i32>().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| "a partition's number is 0 or above".to_owned())
}

/// How keys become partitions.
pub(crate) fn partitioner(text: &str) -> Result<Partitioner, String> {
    match text {
        "murmur2" => Ok(Partitioner::Murmur2),
        "crc32" => Ok(Partitioner::Crc32),
        _ => Err("murmur2 and crc32 are known".to_owned()),
    }
}

/// So many a second: `500`, `1k`, `2.5M/s`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let plain = text.strip_suffix("/s").unwrap_or(text);
    let (number, times) = match plain.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => plain
            .strip_suffix('M')
            .map_or((plain, 1.0), |number| (number, 1e6)),
    };
    let rate = number.parse::<f64>().ok().map(|number| number * times);
    rate.filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "a rate is a number above 0, with k or M".to_owned())
}

/// A number of things: `1000`, `10k`, `2M`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let (number, times) = match (text.strip_suffix(['k', 'K']), text.strip_suffix('M')) {
        (Some(number), _) => (number, 1_000),
        (_, Some(number)) => (number, 1_000_000),
        _ => (text, 1),
    };
    let count = number
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(times));
    count
        .filter(|count| *count > 0)
        .ok_or_else(|| "it is a whole number above 0, with k or M".to_owned())
}

/// A number of bytes: `100`, `1KiB`, `10KiB`, `1MiB`, `1kB`, `1MB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("kB", 1_000),
        ("MB", 1_000_000),
    ];
    let unit = units
        .iter()
        .find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
    let (number, times) = unit.unwrap_or((text, 1));
    let size = number
        .parse::<usize>()
        .ok()
        .and_then(|size| size.checked_mul(times));
    size.ok_or_else(|| "a size is a whole number, with KiB, MiB, kB or MB".to_owned())
}

/// Bytes of one record: no more than a request of the client takes.
pub(crate) fn record(text: &str) -> Result<usize, String> {
    let size = size(text)?;
    if size > RECORD_MAX {
        return Err("a record takes 1 MiB at most".to_owned());
    }
    Ok(size)
}

/// See [`record`].
const RECORD_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_no_request_takes_is_refused_before_it_is_made() {
        assert_eq!(record("1MiB"), Ok(1 << 20));
        for text in ["1048577", "4000MB", "18446744073709551615", "1 MiB", "-1"] {
            assert!(record(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, expected) in [
            ("500", 500.0),
            ("1k", 1e3),
            ("1k/s", 1e3),
            ("2.5M/s", 2.5e6),
        ] {
            assert_eq!(rate(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "-1", "k", "inf", "1/m"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_sizes_are_whole_and_have_units() {
        for (text, expected) in [
            ("7", Some(7)),
            ("10k", Some(10_000)),
            ("2M", Some(2_000_000)),
            ("0", None),
            ("1.5k", None),
            ("99999999999999M", None),
            ("", None),
        ] {
            assert_eq!(count(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("100", Some(100)),
            ("1KiB", Some(1024)),
            ("2MiB", Some(2 << 20)),
            ("1kB", Some(1000)),
            ("0", Some(0)),
            ("-1", None),
            ("1GiB", None),
            ("", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }
}
