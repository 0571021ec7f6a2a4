//! Decides which figures a cell gives and how they are derived; never whether they are good enough (`stats`).
//! Units in every name: us = microseconds, GB = 10^9 bytes.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Quantiles in microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// Half are faster.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// 999 of 1,000 are faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// Reads a histogram of nanoseconds.
    #[must_use]
    pub fn of(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: nanoseconds.max() as f64 / 1e3,
        }
    }
}

/// What was counted in the window of one cell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Requests answered; 0 where the driver does not know them.
    pub requests: u64,
    /// Records acknowledged.
    pub records: u64,
    /// Bytes of their batches.
    pub bytes: u64,
    /// Length of the window.
    pub seconds: f64,
    /// From the time a request was due to its reply.
    pub latency: Option<Latency>,
    /// The same of equal parts of the window, where they are told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Latency>,
    /// User and system time of the broker, seconds.
    pub broker_cpu: Option<f64>,
    /// How often the broker was put on a CPU.
    pub broker_turns: Option<u64>,
    /// CPU of the generator.
    pub own_cpu: f64,
    /// CPU of all others on this machine.
    pub foreign_cpu: f64,
    /// CPU that the host took away.
    pub steal: f64,
    /// Resident memory of the broker at the end, bytes.
    pub resident: Option<u64>,
    /// Its peak since it started, bytes.
    pub peak: Option<u64>,
}

/// A figure that two sides are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Megabytes of batches a second.
    MbPerSecond,
    /// Requests a second.
    RequestsPerSecond,
    /// Broker CPU seconds per gigabyte of batches.
    CpuPerGb,
    /// Broker CPU microseconds per request.
    CpuPerRequest,
    /// Broker CPU microseconds per record.
    CpuPerRecord,
    /// Latency, median.
    P50,
    /// Latency, 99 %.
    P99,
    /// Latency, 99.9 %.
    P999,
    /// Peak of resident memory, MiB.
    PeakMib,
}

impl Metric {
    /// How it is named in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MbPerSecond => "MB/s",
            Self::RequestsPerSecond => "requests/s",
            Self::CpuPerGb => "CPU s/GB",
            Self::CpuPerRequest => "CPU us/request",
            Self::CpuPerRecord => "CPU us/record",
            Self::P50 => "p50 us",
            Self::P99 => "p99 us",
            Self::P999 => "p99.9 us",
            Self::PeakMib => "peak MiB",
        }
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::MbPerSecond | Self::RequestsPerSecond)
    }

    /// Its value, where the cell gives one.
    #[must_use]
    pub fn of(self, figures: &Figures) -> Option<f64> {
        let per = |amount: f64, whole: f64| (whole > 0.0).then(|| amount / whole);
        match self {
            Self::MbPerSecond => per(figures.bytes as f64 / 1e6, figures.seconds),
            Self::RequestsPerSecond => (figures.requests > 0)
                .then(|| per(figures.requests as f64, figures.seconds))
                .flatten(),
            Self::CpuPerGb => per(figures.broker_cpu?, figures.bytes as f64 / 1e9),
            Self::CpuPerRequest => per(figures.broker_cpu? * 1e6, figures.requests as f64),
            Self::CpuPerRecord => per(figures.broker_cpu? * 1e6, figures.records as f64),
            Self::P50 => figures.latency.map(|latency| latency.p50),
            Self::P99 => figures.latency.map(|latency| latency.p99),
            Self::P999 => figures.latency.map(|latency| latency.p999),
            Self::PeakMib => figures.peak.map(|peak| peak as f64 / f64::from(1 << 20)),
        }
    }
}

impl Figures {
    /// Share of the machine that others used or the host took.
    #[must_use]
    pub fn foreign_share(&self, cpus: u32) -> f64 {
        (self.foreign_cpu + self.steal) / (self.seconds * f64::from(cpus)).max(1e-9)
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let metrics = [
            Metric::RequestsPerSecond,
            Metric::MbPerSecond,
            Metric::P50,
            Metric::P99,
            Metric::P999,
            Metric::CpuPerRequest,
            Metric::CpuPerRecord,
            Metric::CpuPerGb,
            Metric::PeakMib,
        ];
        let mut line: Vec<String> = metrics
            .iter()
            .filter_map(|metric| Some(format!("{} {}", metric.name(), short(metric.of(self)?))))
            .collect();
        if let Some(turns) = self.broker_turns
            && self.requests > 0
        {
            line.push(format!(
                "turns/request {:.2}",
                turns as f64 / self.requests as f64
            ));
        }
        line.push(format!(
            "generator CPU {:.2} s, foreign {:.2} s, steal {:.2} s",
            self.own_cpu, self.foreign_cpu, self.steal
        ));
        line.join("  ")
    }
}

/// A number with about three digits.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_what_they_divide_by() {
        let figures = Figures {
            records: 10,
            bytes: 2_000_000_000,
            seconds: 2.0,
            broker_cpu: Some(0.5),
            ..Figures::default()
        };
        assert_eq!(Metric::MbPerSecond.of(&figures), Some(1000.0));
        assert_eq!(Metric::CpuPerGb.of(&figures), Some(0.25));
        assert_eq!(Metric::CpuPerRequest.of(&figures), None);
        assert_eq!(
            Metric::CpuPerGb.of(&Figures {
                broker_cpu: None,
                ..figures
            }),
            None
        );
    }
}
