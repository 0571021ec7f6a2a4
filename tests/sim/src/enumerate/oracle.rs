//! What was appended and what was promised, and whether a recovered engine keeps it: #1, #3, #4, #5, #7, #69-#72, #89,
//! #96, #103. Decides what is right; never what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_core::config::TopicConfig;
use sawlog_core::ids::{LeaderEpoch, LogId, Offset};
use sawlog_core::log::{Appended, Report, Told};
use sawlog_core::marks::Marks;
use sawlog_wire::records::batch::{self, BatchHeader};

use super::rig::Rig;
use crate::rng::Rng;

/// A crash that left everything that completed, or one that left what was synced only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// The process died, as often as may be.
    Written,
    /// The power was cut at least once.
    Durable,
}

/// One batch as it must lie on disk.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) base: i64,
    pub(super) next: i64,
    pub(super) epoch: i32,
    /// Epoch and base sequence of its producer.
    pub(super) producer: Option<(i16, i32)>,
    /// As the client sent it.
    pub(super) raw: Bytes,
    /// With offset and epoch.
    pub(super) stored: Bytes,
}

/// All that is known of one log.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) dir: Arc<str>,
    pub(super) config: TopicConfig,
    pub(super) sent: Vec<Sent>,
    pub(super) written: i64,
    pub(super) durable: i64,
    pub(super) started: i64,
    pub(super) asked: i64,
    /// The producer's epoch and next sequence.
    pub(super) producer: (i16, i32),
    pub(super) dropped: bool,
    pub(super) gone: bool,
    /// Where what a crash took ended, and whether that was written anew since.
    pub(super) lost: Option<i64>,
    pub(super) rewritten: bool,
}

impl Known {
    pub(super) fn new(dir: Arc<str>, config: TopicConfig) -> Known {
        Known {
            dir,
            config,
            sent: Vec::new(),
            written: 0,
            durable: 0,
            started: 0,
            asked: 0,
            producer: (0, 0),
            dropped: false,
            gone: false,
            lost: None,
            rewritten: false,
        }
    }

    fn need(&self, need: Need) -> i64 {
        match need {
            Need::Written => self.written.max(self.durable),
            Need::Durable => self.durable,
        }
    }

    /// Batches of the producer's last epoch among the first so many.
    fn window(&self, end: i64) -> Vec<&Sent> {
        let idempotent = || {
            self.sent
                .iter()
                .filter(move |sent| sent.next <= end && sent.producer.is_some())
        };
        let Some((last, _)) = idempotent().next_back().and_then(|sent| sent.producer) else {
            return Vec::new();
        };
        let of_last = idempotent().filter(|sent| sent.producer.is_some_and(|(e, _)| e == last));
        of_last.rev().take(5).collect()
    }
}

/// What a judge saw, to be compared with what a second start shows.
pub(super) type Seen = BTreeMap<LogId, (Marks, usize)>;

/// Everything that is known of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Oracle {
    pub(super) logs: BTreeMap<LogId, Known>,
    /// Set while the last that happened was a stop in order.
    pub(super) stopped: bool,
    /// Set while a stop may or may not have landed.
    pub(super) stopping: bool,
    pub(super) acknowledged: u64,
}

impl Oracle {
    /// Takes in what the engine says; what it says wrongly is returned.
    pub(super) fn listen(&mut self, rig: &mut Rig) -> Result<(), String> {
        for told in std::mem::take(&mut rig.told) {
            match told {
                Told::Written(log, end) => {
                    self.acknowledged += 1;
                    self.move_on(log, |known| known.written = known.written.max(end.0));
                }
                Told::Durable(log, end) => {
                    self.acknowledged += 1;
                    self.move_on(log, |known| known.durable = known.durable.max(end.0));
                }
                Told::Started(log, start) => {
                    if let Some(known) = self.logs.get(&log)
                        && start.0 < known.started
                    {
                        return Err(format!("#5: {log:?} starts at {start:?} after {known:?}"));
                    }
                    self.move_on(log, |known| known.started = start.0);
                }
                Told::Gone(log) => self.move_on(log, |known| known.gone = true),
                Told::Stopped => {
                    self.stopped = true;
                    self.stopping = false;
                }
                Told::Offline(log, why) => {
                    return Err(format!("#99: {log:?} is offline without damage: {why}"));
                }
                Told::Broken(broken) => {
                    rig.told.push(Told::Broken(broken));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn move_on(&mut self, log: LogId, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.logs.get_mut(&log) {
            change(known);
        }
    }

    /// Judges what came up after a crash. Opens every log, and drops what was deleted, as the metadata would say.
    pub(super) fn judge(
        &self,
        rig: &mut Rig,
        need: Need,
        report: &Report,
        nested: bool,
        rng: &mut Rng,
    ) -> Result<Seen, String> {
        if !nested && !self.stopping && report.clean.is_some() != self.stopped {
            return Err(format!(
                "#103: stopped in order: {}, and the start finds {:?}",
                self.stopped, report.clean
            ));
        }
        let mut seen = Seen::new();
        for log in rig.engine.logs().collect::<Vec<_>>() {
            if !self.logs.contains_key(&log) {
                return Err(format!("#40: {log:?} was never created"));
            }
        }
        for (log, known) in &self.logs {
            let found = rig.engine.marks(*log);
            if known.dropped {
                if known.gone && found.is_some() {
                    return Err(format!("#40: {log:?} was gone and is back: {found:?}"));
                }
                // The metadata forgets a deletion once everything is gone.
                if !known.gone {
                    rig.engine.drop_log(*log, known.dir.clone());
                }
                continue;
            }
            rig.open(*log, &known.dir, &known.config);
            let Some(marks) = rig.engine.marks(*log) else {
                return Err(format!("#40: {log:?} does not open"));
            };
            let batches = self.judge_log(rig, *log, known, marks, need, rng)?;
            seen.insert(*log, (marks, batches));
        }
        rig.engine.named();
        self.judge_dirs(rig, |known| known.gone)?;
        Ok(seen)
    }

    /// Whether a deletion is still being carried out.
    pub(super) fn is_leaving(&self) -> bool {
        let mut known = self.logs.values();
        known.any(|known| known.dropped && !known.gone)
    }

    /// What came up has come to rest: nothing is left of what was deleted (#40, #45).
    pub(super) fn judge_end(&self, rig: &Rig) -> Result<(), String> {
        let left = rig.engine.logs().chain(rig.engine.dropped_logs());
        let dropped = |log: &LogId| self.logs.get(log).is_some_and(|known| known.dropped);
        if let Some(log) = left.into_iter().find(dropped) {
            return Err(format!("#40: the deletion of {log:?} does not end"));
        }
        self.judge_dirs(rig, |known| known.dropped)
    }

    fn judge_dirs(&self, rig: &Rig, gone: impl Fn(&Known) -> bool) -> Result<(), String> {
        let files = rig.disk.files().into_iter();
        let tags = files.filter(|(path, _)| path.ends_with("/partition.metadata"));
        for (path, _) in tags {
            let text = rig.disk.read_all(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let of = |log: &LogId| text.contains(&format!("topic_id: {}", log.topic.0));
            if let Some((log, _)) = self.logs.iter().find(|(log, it)| gone(it) && of(log)) {
                return Err(format!("#40 #45: {log:?} is gone and {path} is left"));
            }
        }
        Ok(())
    }

    fn judge_log(
        &self,
        rig: &mut Rig,
        log: LogId,
        known: &Known,
        marks: Marks,
        need: Need,
        rng: &mut Rng,
    ) -> Result<usize, String> {
        let told = known.need(need);
        if let Some(why) = rig.engine.offline(log) {
            return Err(format!("#99: {log:?} is offline without damage: {why}"));
        }
        let ordered = marks.start <= marks.next
            && marks.durable <= marks.written
            && marks.written <= marks.next
            && marks.hw <= marks.next;
        if !ordered {
            return Err(format!("#5: {log:?} {marks:?}"));
        }
        if marks.next.0 < told {
            return Err(format!(
                "#96: {log:?} was acknowledged up to {told} ({need:?}), recovered is {marks:?}"
            ));
        }
        if marks.durable != marks.next {
            return Err(format!(
                "#98: {log:?} came up without being durable: {marks:?}"
            ));
        }
        if marks.start.0 < known.started {
            return Err(format!(
                "#5 #89: {log:?} started at {} and starts at {marks:?}",
                known.started
            ));
        }
        if known.config.retention_bytes.is_none() && marks.start.0 > known.asked {
            return Err(format!(
                "#5: {log:?} was trimmed to {} and starts at {marks:?}",
                known.asked
            ));
        }
        let batches = self.judge_bytes(rig, log, known, marks, rng)?;
        self.judge_epochs(rig, log, known, marks)?;
        self.judge_retries(rig, log, known, marks)?;
        Ok(batches)
    }

    fn judge_bytes(
        &self,
        rig: &mut Rig,
        log: LogId,
        known: &Known,
        marks: Marks,
        rng: &mut Rng,
    ) -> Result<usize, String> {
        let mut at = marks.start;
        let mut batches = 0;
        while at < marks.next {
            let plan = rig.plan(log, Some(at), rng)?;
            let read = match plan {
                Some(plan) => rig.serve(&plan)?,
                None => Vec::new(),
            };
            if read.is_empty() {
                return Err(format!("#1: {log:?}: nothing to read at {at:?}, {marks:?}"));
            }
            for bytes in read {
                let header =
                    BatchHeader::parse(&bytes).map_err(|e| format!("#6: {log:?} {e:?}"))?;
                let whole = if batches == 0 {
                    header.base_offset <= at.0 && header.next_offset() > at.0
                } else {
                    header.base_offset == at.0
                };
                if !whole {
                    return Err(format!("#1: {log:?} reads {header:?} at {at:?}"));
                }
                let index = known
                    .sent
                    .binary_search_by_key(&header.base_offset, |sent| sent.base);
                let sent = index.ok().and_then(|index| known.sent.get(index));
                if sent.is_none_or(|sent| sent.stored != bytes) {
                    return Err(format!(
                        "#3 #6: {log:?} reads at {at:?} what was never appended there: {header:?}, expected {sent:?}"
                    ));
                }
                at = Offset(header.next_offset());
                batches += 1;
            }
        }
        if at != marks.next && batches > 0 {
            return Err(format!("#1: {log:?} ends at {at:?}, {marks:?}"));
        }
        Ok(batches)
    }

    /// The history of leaderships names each batch's own, and forgets none that wrote (#4).
    fn judge_epochs(
        &self,
        rig: &Rig,
        log: LogId,
        known: &Known,
        marks: Marks,
    ) -> Result<(), String> {
        let there = |sent: &&Sent| sent.base >= marks.start.0 && sent.next <= marks.next.0;
        for sent in known.sent.iter().filter(there) {
            let found = rig.engine.epoch_of(log, Offset(sent.base));
            if found != Some(LeaderEpoch(sent.epoch)) {
                return Err(format!(
                    "#4: {log:?}: offset {} was written under {} and the history says {found:?}",
                    sent.base, sent.epoch
                ));
            }
        }
        Ok(())
    }

    /// A retry of one of the last five batches is answered with the original (#69, #72).
    fn judge_retries(
        &self,
        rig: &mut Rig,
        log: LogId,
        known: &Known,
        marks: Marks,
    ) -> Result<(), String> {
        let epoch = rig.engine.last_epoch(log).unwrap_or(LeaderEpoch(0));
        for sent in known.window(marks.next.0) {
            if sent.base < marks.start.0 {
                continue;
            }
            let header = BatchHeader::parse(&sent.raw).map_err(|e| format!("{e:?}"))?;
            let answer = rig.engine.append(
                rig.now,
                log,
                &header,
                sent.raw.clone(),
                epoch.max(LeaderEpoch(0)),
            );
            let original = Appended::Duplicate {
                base: Offset(sent.base),
                last: Offset(sent.next - 1),
            };
            if answer != Ok(original) {
                return Err(format!(
                    "#69: {log:?}: the retry of {} (sequence {:?}) is answered {answer:?}",
                    sent.base, sent.producer
                ));
            }
        }
        Ok(())
    }

    /// A life went on from a crash: what was recovered is from now on promised, what was not is forgotten.
    pub(super) fn settle(&mut self, rig: &Rig) {
        self.stopped = false;
        self.stopping = false;
        for (log, known) in &mut self.logs {
            let Some(marks) = rig.engine.marks(*log) else {
                continue;
            };
            let end = known.sent.last().map(|sent| sent.next);
            known.lost = end.filter(|end| *end > marks.next.0);
            known.rewritten = false;
            known.sent.retain(|sent| sent.next <= marks.next.0);
            known.written = marks.written.0;
            known.durable = marks.durable.0;
            known.started = known.started.max(marks.start.0);
            // A trim may outlive the batches below it and what their producer had written (#5).
            if marks.start == marks.next {
                known.sent.clear();
            }
            known.producer = known
                .window(marks.next.0)
                .first()
                .and_then(|sent| {
                    let (epoch, sequence) = sent.producer?;
                    let count = i32::try_from(sent.next - sent.base).ok()?;
                    Some((epoch, batch::sequence_after(sequence, count)))
                })
                .unwrap_or((known.producer.0.saturating_add(1), 0));
        }
    }
}
