//! Times and spans as people write them: `-2h`, `90s`, RFC 3339, milliseconds since 1970 behind an `@`. Decides what they
//! mean; never what happens then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, now.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A number and a unit: `10ms`, `10s`, `5m`, `2h`, `7d`. In milliseconds.
pub(crate) fn span(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// A span as an argument of a command.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let millis = span(text).and_then(|millis| u64::try_from(millis).ok());
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "a span is a number with ms, s, m, h or d".to_owned())
}

/// A point in time: `now`, a span ago, `@` and milliseconds since 1970, or RFC 3339.
pub(crate) fn time(text: &str, now: i64) -> Option<i64> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Some(now.checked_sub(span(ago)?)?.max(0));
    }
    match text.strip_prefix('@') {
        Some(millis) => millis.parse().ok().filter(|millis| *millis >= 0),
        None => rfc3339(text),
    }
}

/// `2026-11-22T10:00:00.250+01:00`; a time without a zone is UTC, a day alone its first moment.
fn rfc3339(text: &str) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let mut parts = day.split('-');
    let mut number = |digits: usize| -> Option<i64> {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| plain)
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    let millis = if rest.is_empty() {
        0
    } else {
        clock(rest.strip_prefix(['T', 't', ' '])?)?
    };
    days.checked_mul(86_400_000)?.checked_add(millis)
}

/// Days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    // Years that begin in March: the day that leaps is the last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        - 719_468
}

/// `10:00:00.250+01:00` in milliseconds of the day in UTC: below zero, or above a day's, where the zone says so.
fn clock(text: &str) -> Option<i64> {
    let two = |text: &str, most: i64| -> Option<i64> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number <= most)
    };
    let hours_minutes = |text: &str| -> Option<i64> {
        let (hours, minutes) = text.split_once(':')?;
        Some((two(hours, 23)? * 60 + two(minutes, 59)?) * 60_000)
    };
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let zone = match zone {
        "Z" | "z" => 0,
        _ => hours_minutes(zone.get(1..)?)? * if zone.starts_with('-') { -1 } else { 1 },
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (minutes, seconds) = match clock.match_indices(':').nth(1) {
        Some((at, _)) => (clock.get(..at)?, two(clock.get(at + 1..)?, 59)?),
        None => (clock, 0),
    };
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(hours_minutes(minutes)? + seconds * 1_000 + millis - zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = 10 * 86_400_000;
        let rows = [
            ("now", Some(now)),
            ("-2h", Some(now - 7_200_000)),
            ("-99999d", Some(0)),
            ("@17", Some(17)),
            ("1970-01-01", Some(0)),
            ("1970-01-02T00:00:00Z", Some(86_400_000)),
            ("2000-02-29T12:34:56.789Z", Some(951_827_696_789)),
            ("2026-11-22T10:00:00+01:00", Some(1_795_338_000_000)),
            ("2026-11-22 09:00", Some(1_795_338_000_000)),
            ("1900-02-29", None),
            ("2026-13-01", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T10:00:00.Z", None),
            ("-99999999999999999999d", None),
            ("-2x", None),
            ("-", None),
            ("-2ä", None),
            ("@-1", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(time(text, now), expected, "{text:?}");
        }
    }
}
