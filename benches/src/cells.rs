//! Decides what is measured: every workload, the brokers that run it, and what their ratios must be.
//! A table: how a cell runs is `cell`'s, and whether a bound holds is `stats`'s.

use clap::ValueEnum;

use crate::figures::Metric;
use crate::side::Side;
use crate::stats::Bound;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Set {
    /// Under a minute: does anything stand out?
    Smoke,
    /// Every figure that must hold, five pairs each.
    Gate,
    /// All that is reported, fifteen pairs each.
    Full,
}

impl Set {
    /// Pairs per cell.
    #[must_use]
    pub fn pairs(self) -> usize {
        match self {
            Self::Smoke => 2,
            Self::Gate => 5,
            Self::Full => 15,
        }
    }

    /// Seconds counted in each cell.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::Smoke => 1.0,
            Self::Gate | Self::Full => 2.0,
        }
    }

    /// Seconds of load before the first cell, for a JVM.
    #[must_use]
    pub fn warm_up(self) -> f64 {
        match self {
            Self::Smoke => 3.0,
            Self::Gate | Self::Full => 30.0,
        }
    }
}

/// What a cell does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// The raw generator, closed loop.
    Closed {
        /// Connections and, in equal number, partitions.
        connections: usize,
        /// On each connection.
        in_flight: usize,
        /// In each request.
        records: u32,
        /// Of each record.
        value_bytes: usize,
    },
    /// The raw generator, one connection, at given times.
    Open {
        /// Requests a second; `None` is half of what the first side does in closed loop.
        per_second: Option<f64>,
        /// In each request.
        records: u32,
        /// Of each record.
        value_bytes: usize,
    },
    /// librdkafka with its defaults, as fast as it can.
    Librdkafka {
        /// Of each message.
        value_bytes: usize,
        /// Of the topic.
        partitions: i32,
    },
    /// librdkafka reads what was written before and read once, with its defaults and every checksum verified.
    Consume {
        /// Bytes to read.
        bytes: u64,
        /// Of the topic.
        partitions: i32,
    },
    /// The raw generator reads what was written before and read once, about 1 MB a reply, one request in flight.
    Fetch {
        /// Bytes in the partition; they are read until the time is over, and once at least.
        bytes: u64,
    },
    /// That first reading: where a broker writes around the page cache, it comes from the disk.
    FirstFetch {
        /// Bytes in the partition.
        bytes: u64,
    },
    /// librdkafka, single messages at given times.
    LibrdkafkaPaced {
        /// Messages a second.
        per_second: f64,
        /// Of each message.
        value_bytes: usize,
    },
}

impl Work {
    /// Partitions of the topic.
    #[must_use]
    pub fn partitions(self) -> i32 {
        match self {
            Self::Closed { connections, .. } => connections as i32,
            Self::Open { .. } | Self::LibrdkafkaPaced { .. } => 1,
            Self::Fetch { .. } | Self::FirstFetch { .. } => 1,
            Self::Librdkafka { partitions, .. } | Self::Consume { partitions, .. } => partitions,
        }
    }

    /// Whether librdkafka is needed.
    #[must_use]
    pub fn by_librdkafka(self) -> bool {
        matches!(
            self,
            Self::Librdkafka { .. } | Self::LibrdkafkaPaced { .. } | Self::Consume { .. }
        )
    }
}

/// One comparison of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// By what.
    pub metric: Metric,
    /// The first side of the cell is compared with this one.
    pub over: Side,
    /// What must hold; `None` is reported only.
    pub must: Option<Bound>,
}

/// One workload on several brokers.
#[derive(Clone, Debug)]
pub struct Cell {
    /// W1 to W12.
    pub workload: &'static str,
    /// Names it; short, unique.
    pub name: &'static str,
    /// What is done.
    pub work: Work,
    /// Who does it, in turn; the first one is compared with the others.
    pub sides: &'static [Side],
    /// Comparisons.
    pub rows: Vec<Row>,
    /// The smallest set that holds it.
    pub set: Set,
}

const fn must(metric: Metric, over: Side, bound: Bound) -> Row {
    Row {
        metric,
        over,
        must: Some(bound),
    }
}

const fn shown(metric: Metric, over: Side) -> Row {
    Row {
        metric,
        over,
        must: None,
    }
}

use Bound::{AtLeast, AtMost};
use Metric::{CpuPerGb, CpuPerRequest, MbPerSecond, P50, P99, RequestsPerSecond};
use Side::{
    Kafka, KafkaFsync, LimitDiscard, LimitDurable, LimitWrite, SawlogDurable, SawlogReplicated,
};

const KEEPS_UP: &[Row] = &[
    must(MbPerSecond, LimitDurable, AtLeast(0.95)),
    shown(CpuPerGb, LimitDurable),
];

/// Every cell, in the order it runs.
#[must_use]
pub fn all() -> Vec<Cell> {
    let librdkafka = |name, value_bytes, partitions, sides, rows, set| Cell {
        workload: "W1",
        name,
        work: Work::Librdkafka {
            value_bytes,
            partitions,
        },
        sides,
        rows,
        set,
    };
    let closed = |name, connections, in_flight, records, value_bytes, sides, rows, set| Cell {
        workload: "W2",
        name,
        work: Work::Closed {
            connections,
            in_flight,
            records,
            value_bytes,
        },
        sides,
        rows,
        set,
    };
    let open = |name, per_second, records, value_bytes, sides, rows, set| Cell {
        workload: "W3",
        name,
        work: Work::Open {
            per_second,
            records,
            value_bytes,
        },
        sides,
        rows,
        set,
    };
    vec![
        librdkafka(
            "librdkafka 1 KiB, 1 partition",
            1024,
            1,
            &[SawlogDurable, LimitDurable, Kafka],
            vec![
                must(MbPerSecond, LimitDurable, AtLeast(0.95)),
                must(CpuPerGb, LimitDurable, AtMost(1.6)),
                must(CpuPerGb, Kafka, AtMost(0.5)),
                shown(MbPerSecond, Kafka),
            ],
            Set::Smoke,
        ),
        librdkafka(
            "librdkafka 100 B, 1 partition",
            100,
            1,
            &[SawlogDurable, LimitDurable],
            KEEPS_UP.to_vec(),
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 10 KiB, 1 partition",
            10240,
            1,
            &[SawlogDurable, LimitDurable],
            KEEPS_UP.to_vec(),
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 100 B, 16 partitions",
            100,
            16,
            &[SawlogDurable, LimitDurable],
            KEEPS_UP.to_vec(),
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 1 KiB, 16 partitions",
            1024,
            16,
            &[SawlogDurable, LimitDurable],
            KEEPS_UP.to_vec(),
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 10 KiB, 16 partitions",
            10240,
            16,
            &[SawlogDurable, LimitDurable],
            KEEPS_UP.to_vec(),
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 1 KiB, 16 partitions, beside Kafka",
            1024,
            16,
            &[SawlogDurable, Kafka],
            vec![
                must(CpuPerGb, Kafka, AtMost(0.75)),
                shown(MbPerSecond, Kafka),
            ],
            Set::Gate,
        ),
        librdkafka(
            "librdkafka 1 KiB, 16 partitions, other peers",
            1024,
            16,
            &[SawlogDurable, KafkaFsync, LimitDiscard],
            vec![
                shown(CpuPerGb, KafkaFsync),
                shown(MbPerSecond, KafkaFsync),
                shown(MbPerSecond, LimitDiscard),
            ],
            Set::Full,
        ),
        librdkafka(
            "librdkafka 1 KiB, replicated",
            1024,
            1,
            &[SawlogReplicated, LimitWrite, Kafka],
            vec![
                must(CpuPerGb, Kafka, AtMost(0.6)),
                shown(CpuPerGb, LimitWrite),
                shown(MbPerSecond, LimitWrite),
                shown(MbPerSecond, Kafka),
            ],
            Set::Gate,
        ),
        closed(
            "1 record, 5 in flight, replicated",
            1,
            5,
            1,
            1024,
            &[SawlogReplicated, LimitWrite, Kafka],
            vec![
                must(CpuPerRequest, LimitWrite, AtMost(1.8)),
                must(CpuPerRequest, Kafka, AtMost(0.2)),
                must(RequestsPerSecond, Kafka, AtLeast(5.0)),
                shown(RequestsPerSecond, LimitWrite),
            ],
            Set::Gate,
        ),
        closed(
            "1 record, 64 connections x 64 partitions, durable",
            64,
            5,
            1,
            1024,
            &[SawlogDurable, KafkaFsync, LimitDurable],
            vec![
                must(CpuPerRequest, KafkaFsync, AtMost(0.2)),
                shown(RequestsPerSecond, KafkaFsync),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Gate,
        ),
        closed(
            "1 record, 1 in flight, durable",
            1,
            1,
            1,
            1024,
            &[SawlogDurable, KafkaFsync, LimitDurable],
            vec![
                must(P50, KafkaFsync, AtMost(0.65)),
                must(P99, KafkaFsync, AtMost(0.65)),
                shown(P50, LimitDurable),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Gate,
        ),
        closed(
            "16 KiB, 5 in flight, durable",
            1,
            5,
            16,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![
                shown(RequestsPerSecond, LimitDurable),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Smoke,
        ),
        closed(
            "16 KiB, 5 in flight, replicated",
            1,
            5,
            16,
            1024,
            &[SawlogReplicated, LimitWrite],
            vec![
                shown(RequestsPerSecond, LimitWrite),
                shown(CpuPerRequest, LimitWrite),
            ],
            Set::Full,
        ),
        closed(
            "16 KiB, 4 connections, durable",
            4,
            5,
            16,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![
                shown(RequestsPerSecond, LimitDurable),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Full,
        ),
        closed(
            "16 KiB, 16 connections x 16 partitions, durable",
            16,
            5,
            16,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![
                must(RequestsPerSecond, LimitDurable, AtLeast(0.5)),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Gate,
        ),
        closed(
            "1 MB, 5 in flight, durable",
            1,
            5,
            950,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![
                shown(MbPerSecond, LimitDurable),
                shown(CpuPerGb, LimitDurable),
            ],
            Set::Full,
        ),
        closed(
            "1 record, 5 in flight, durable",
            1,
            5,
            1,
            1024,
            &[SawlogDurable, LimitDurable, KafkaFsync],
            vec![
                shown(RequestsPerSecond, LimitDurable),
                shown(CpuPerRequest, LimitDurable),
                shown(CpuPerRequest, KafkaFsync),
            ],
            Set::Full,
        ),
        closed(
            "1 record, 64 connections x 64 partitions, replicated",
            64,
            5,
            1,
            1024,
            &[SawlogReplicated, LimitWrite, Kafka],
            vec![
                shown(CpuPerRequest, LimitWrite),
                shown(CpuPerRequest, Kafka),
                shown(RequestsPerSecond, Kafka),
            ],
            Set::Full,
        ),
        open(
            "1,000 a second, durable",
            Some(1000.0),
            1,
            1024,
            &[SawlogDurable, LimitDurable, KafkaFsync],
            vec![
                must(P50, LimitDurable, AtMost(1.5)),
                shown(P99, LimitDurable),
                shown(P50, KafkaFsync),
                shown(P99, KafkaFsync),
            ],
            Set::Smoke,
        ),
        open(
            "1,000 a second, replicated",
            Some(1000.0),
            1,
            1024,
            &[SawlogReplicated, LimitWrite, Kafka],
            vec![
                must(P50, Kafka, AtMost(0.75)),
                must(P99, Kafka, AtMost(0.6)),
                shown(P50, LimitWrite),
                shown(P99, LimitWrite),
            ],
            Set::Gate,
        ),
        open(
            "20,000 a second, single records, durable",
            Some(20_000.0),
            1,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![
                shown(P50, LimitDurable),
                shown(P99, LimitDurable),
                shown(CpuPerRequest, LimitDurable),
            ],
            Set::Full,
        ),
        open(
            "20,000 a second in twenties, durable",
            Some(1000.0),
            20,
            100,
            &[SawlogDurable, LimitDurable, KafkaFsync],
            vec![
                shown(P50, LimitDurable),
                shown(P99, LimitDurable),
                shown(P50, KafkaFsync),
            ],
            Set::Full,
        ),
        open(
            "half of the own maximum, durable",
            None,
            1,
            1024,
            &[SawlogDurable, LimitDurable],
            vec![shown(P50, LimitDurable), shown(P99, LimitDurable)],
            Set::Full,
        ),
        open(
            "half of the own maximum, replicated",
            None,
            1,
            1024,
            &[SawlogReplicated, LimitWrite],
            vec![shown(P50, LimitWrite), shown(P99, LimitWrite)],
            Set::Full,
        ),
        Cell {
            workload: "W4",
            name: "librdkafka consumes 1.5 GB of 1 KiB",
            work: Work::Consume {
                bytes: 1_500_000_000,
                partitions: 1,
            },
            sides: &[SawlogDurable, LimitWrite, Kafka],
            rows: vec![
                must(MbPerSecond, LimitWrite, AtLeast(0.9)),
                must(CpuPerGb, Kafka, AtMost(1.0)),
                shown(MbPerSecond, Kafka),
                shown(CpuPerGb, LimitWrite),
            ],
            set: Set::Gate,
        },
        Cell {
            workload: "W4",
            name: "raw fetch of 1.5 GB, 1 MB a reply",
            work: Work::Fetch {
                bytes: 1_500_000_000,
            },
            sides: &[SawlogDurable, LimitWrite, Kafka],
            rows: vec![
                must(MbPerSecond, Kafka, AtLeast(2.0)),
                shown(CpuPerGb, Kafka),
                shown(MbPerSecond, LimitWrite),
                shown(CpuPerGb, LimitWrite),
            ],
            set: Set::Gate,
        },
        Cell {
            workload: "W4",
            name: "first raw fetch of 1.5 GB, 1 MB a reply",
            work: Work::FirstFetch {
                bytes: 1_500_000_000,
            },
            sides: &[SawlogDurable, LimitWrite, Kafka],
            rows: vec![
                shown(MbPerSecond, Kafka),
                shown(CpuPerGb, Kafka),
                shown(MbPerSecond, LimitWrite),
            ],
            set: Set::Gate,
        },
        Cell {
            workload: "W4",
            name: "raw fetch of the last 48 MB, 1 MB a reply",
            work: Work::Fetch { bytes: 48_000_000 },
            sides: &[SawlogDurable, LimitWrite, Kafka],
            rows: vec![
                shown(MbPerSecond, Kafka),
                shown(CpuPerGb, Kafka),
                shown(MbPerSecond, LimitWrite),
            ],
            set: Set::Full,
        },
        Cell {
            workload: "W3",
            name: "librdkafka, 1,000 a second, durable",
            work: Work::LibrdkafkaPaced {
                per_second: 1000.0,
                value_bytes: 1024,
            },
            sides: &[SawlogDurable, LimitDurable, KafkaFsync],
            rows: vec![
                shown(P50, LimitDurable),
                shown(P99, LimitDurable),
                shown(P50, KafkaFsync),
            ],
            set: Set::Full,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_compares_sides_that_run_in_its_cell() {
        for cell in all() {
            for row in &cell.rows {
                assert!(
                    cell.sides[1..].contains(&row.over),
                    "{}: {:?}",
                    cell.name,
                    row.over
                );
            }
        }
    }

    #[test]
    fn a_bound_points_where_its_metric_improves() {
        for row in all().iter().flat_map(|cell| &cell.rows) {
            if let Some(bound) = row.must {
                assert_eq!(
                    matches!(bound, AtLeast(_)),
                    row.metric.more_is_better(),
                    "{row:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().iter().map(|cell| cell.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }
}
