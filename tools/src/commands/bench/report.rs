//! What was measured, for people and for programs, and beside an earlier run. Decides figures and their words: what a run
//! was is said with them, so that unlike runs are not compared in silence.

use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure, say};
use crate::show::{Form, Show};

/// Times, in microseconds, to three digits.
pub(super) struct Times(Histogram<u64>);

impl Times {
    pub(super) fn new() -> Result<Times, Failure> {
        // An hour is longer than any deadline.
        let made = Histogram::new_with_bounds(1, 3_600_000_000, 3);
        made.map(Times)
            .map_err(|error| Failure::Other(anyhow::anyhow!("make a histogram: {error}")))
    }

    pub(super) fn note(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }
}

/// A run and its figures.
pub(super) struct Report {
    /// What was run: "produce" or "consume", and by which settings.
    pub(super) run: Map<String, Value>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) time: Duration,
    pub(super) times: Times,
}

const QUANTILES: &[(&str, f64)] = &[("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

impl Report {
    /// All of it as one object.
    fn json(&self) -> Map<String, Value> {
        let seconds = self.time.as_secs_f64().max(1e-9);
        let mut latency = Map::new();
        latency.insert("timed".to_owned(), json!(self.times.0.len()));
        latency.insert("mean".to_owned(), json!(self.times.0.mean().round()));
        for (name, quantile) in QUANTILES {
            let value = self.times.0.value_at_quantile(*quantile);
            latency.insert((*name).to_owned(), json!(value));
        }
        latency.insert("max".to_owned(), json!(self.times.0.max()));
        let mut fields = self.run.clone();
        fields.insert("records".to_owned(), json!(self.records));
        fields.insert("bytes".to_owned(), json!(self.bytes));
        fields.insert("seconds".to_owned(), json!(seconds));
        fields.insert(
            "records_per_second".to_owned(),
            json!(self.records as f64 / seconds),
        );
        fields.insert(
            "mb_per_second".to_owned(),
            json!(self.bytes as f64 / 1e6 / seconds),
        );
        fields.insert("latency_us".to_owned(), Value::Object(latency));
        fields
    }

    /// Prints it, beside what was before.
    pub(super) fn show(
        &self,
        form: Form,
        before: Option<&Map<String, Value>>,
    ) -> Result<(), Failure> {
        let mut fields = self.json();
        let ratios = before.map(|before| compared(before, &fields));
        if let Some(before) = before {
            for (name, now) in &self.run {
                let then = before.get(name).unwrap_or(&Value::Null);
                if then != now {
                    say(&format!(
                        "the runs differ in {name}: {then} then, {now} now"
                    ));
                }
            }
        }
        let mut show = Show::new(form);
        let lines = lines(&fields, ratios.as_ref());
        if let Some(ratios) = ratios {
            fields.insert("compared".to_owned(), Value::Object(ratios));
        }
        show.item(|| lines, || Value::Object(fields))?;
        show.end()
    }
}

/// What a run with `-o json` said.
pub(super) fn before(file: Option<&Path>) -> Result<Option<Map<String, Value>>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |exit, why: String| {
        let what = format!("cannot compare with {}", file.display());
        Failure::told(
            exit,
            what,
            why,
            "It is what `sawlog bench ... -o json` prints",
        )
    };
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong(Exit::NotFound, error.to_string()),
        _ => wrong(Exit::Failed, error.to_string()),
    })?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(fields)) if figure(&fields, "records_per_second").is_some() => {
            Ok(Some(fields))
        }
        Ok(_) => Err(wrong(Exit::Usage, "it holds no figures".to_owned())),
        Err(error) => Err(wrong(Exit::Usage, error.to_string())),
    }
}

fn figure(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    let found = fields
        .get(name)
        .or_else(|| fields.get("latency_us")?.get(name));
    found.and_then(Value::as_f64)
}

const COMPARED: &[&str] = &[
    "records_per_second",
    "mb_per_second",
    "p50",
    "p90",
    "p99",
    "p999",
    "max",
];

/// Each figure, divided by what it was.
fn compared(before: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
    let ratio = |name: &&str| {
        let (then, now) = (figure(before, name)?, figure(now, name)?);
        let ratio = (then > 0.0).then(|| (now / then * 1000.0).round() / 1000.0)?;
        Some(((*name).to_owned(), json!(ratio)))
    };
    COMPARED.iter().filter_map(ratio).collect()
}

/// For people.
fn lines(fields: &Map<String, Value>, ratios: Option<&Map<String, Value>>) -> String {
    let number = |name: &str| figure(fields, name).unwrap_or(0.0);
    let beside = |name: &str| match ratios.and_then(|ratios| figure(ratios, name)) {
        Some(ratio) => format!(" ({ratio:.2} times)"),
        None => String::new(),
    };
    let time = |name: &str| {
        let micros = number(name);
        let text = match micros {
            micros if micros >= 1e6 => format!("{:.2} s", micros / 1e6),
            micros if micros >= 1e3 => format!("{:.2} ms", micros / 1e3),
            micros => format!("{micros:.0} us"),
        };
        format!("{name} {text}{}", beside(name))
    };
    let times: Vec<String> = ["p50", "p90", "p99", "p999", "max"].map(time).into();
    format!(
        "{} records, {:.1} MB in {:.2} s\n{:.0} records/s{}, {:.2} MB/s{}\nlatency: {}",
        number("records"),
        number("bytes") / 1e6,
        number("seconds"),
        number("records_per_second"),
        beside("records_per_second"),
        number("mb_per_second"),
        beside("mb_per_second"),
        times.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(records: u64, micros: u64) -> Report {
        let mut times = Times::new().unwrap();
        for _ in 0..100 {
            times.note(Duration::from_micros(micros));
        }
        let Value::Object(run) = json!({"bench": "produce", "size": 1000}) else {
            panic!("an object");
        };
        let time = Duration::from_secs(2);
        Report {
            run,
            records,
            bytes: records * 1000,
            time,
            times,
        }
    }

    #[test]
    fn figures_are_told_beside_those_of_an_earlier_run() {
        let (before, now) = (
            report(1_000_000, 2_000).json(),
            report(1_500_000, 1_000).json(),
        );
        assert_eq!(figure(&now, "records_per_second"), Some(750_000.0));
        assert_eq!(figure(&now, "mb_per_second"), Some(750.0));
        assert_eq!(figure(&now, "p99"), Some(1_000.0));
        assert_eq!(now["latency_us"]["timed"], 100);
        let ratios = compared(&before, &now);
        assert_eq!(figure(&ratios, "records_per_second"), Some(1.5));
        assert_eq!(figure(&ratios, "p50"), Some(0.5));
        let told = lines(&now, Some(&ratios));
        assert!(
            told.contains("750000 records/s (1.50 times), 750.00 MB/s"),
            "{told}"
        );
        assert!(told.contains("p99 1.00 ms (0.50 times)"), "{told}");
    }

    #[test]
    fn what_is_longer_than_an_hour_counts_as_an_hour() {
        let mut times = Times::new().unwrap();
        times.note(Duration::from_secs(1 << 40));
        times.note(Duration::ZERO);
        assert_eq!(times.0.len(), 2);
        assert!(times.0.max() >= 3_600_000_000);
    }
}
