//! From the image to this shard's partitions: what the metadata says it leads, it opens and leads.
//! Decides by comparing wanted with own state, never by a list of changes, so that a start and a missed image take the
//! same path. Holds #40: absence in the image removes nothing.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::cluster::image::{Image, Partition as Wanted, Topic};
use crate::effect::Effect;
use crate::event::{Event, News};
use crate::ids::{LogId, Offset, PartitionId, ShardId};
use crate::log::LogSpec;
use crate::node::life::{Phase, Running};
use crate::node::parts::Partition;
use crate::now::Now;
use crate::parked::Parked;
use crate::proof;
use crate::replica::Leader;

impl Running {
    /// The cluster's metadata moved on.
    pub(crate) fn steer(&mut self, now: Now, image: Arc<Image>, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Stopping | Phase::Stopped | Phase::Dead) {
            return;
        }
        if self
            .image
            .as_ref()
            .is_some_and(|had| image.offset < had.offset)
        {
            return;
        }
        let had = self.image.replace(image.clone());
        for (name, topic) in &image.topics {
            // The same topic, untouched: nothing to compare.
            let same = had
                .as_ref()
                .and_then(|had| had.topics.get(name))
                .is_some_and(|had| Arc::ptr_eq(had, topic));
            if same {
                continue;
            }
            for (number, wanted) in (0..).zip(&topic.partitions) {
                let log = LogId {
                    topic: topic.id,
                    partition: PartitionId(number),
                };
                if log.owner(self.shards) == self.id && wanted.replicas.contains(&self.me) {
                    self.steer_one(now, log, topic, wanted, out);
                }
            }
        }
        self.clear_removed(&image, out);
        self.engine.named();
        if self.phase == Phase::Coming && self.id != ShardId(0) {
            self.phase = Phase::Up;
            self.look_at_space(now, out);
        }
        if self.id == ShardId(0) {
            self.opened(now, ShardId(0), image.offset, out);
        } else {
            out.push(Effect::Pass(
                ShardId(0),
                Event::News(self.id, News::Open(image.offset)),
            ));
        }
    }

    /// Drops what this shard has of topics that a committed record deleted, and of nothing else (#40).
    fn clear_removed(&mut self, image: &Image, out: &mut Vec<Effect>) {
        if image.removed.is_empty() {
            return;
        }
        let gone = |log: LogId| {
            let removed = image.removed.get(&log.topic).map(|removed| &removed.name);
            let neighbour = proof::mutant("delete-drops-its-neighbour")
                && log.topic != LogId::METADATA.topic
                && log.partition != PartitionId(0);
            let name = removed.or_else(|| image.names.get(&log.topic).filter(|_| neighbour))?;
            Some((log, Arc::from(format!("{name}-{}", log.partition))))
        };
        let logs = self.engine.logs().chain(self.engine.dropped_logs());
        let logs: Vec<(LogId, Arc<str>)> = logs.filter_map(gone).collect();
        for (log, dir) in logs {
            if proof::mutant("deleted-topic-kept") {
                continue;
            }
            self.abandon(log, out);
            self.partitions.remove(&log);
            self.engine.drop_log(log, dir);
            self.going.insert(log);
        }
        self.cleared(out);
    }

    /// Nothing is left here of any topic that the image says is deleted: shard 0 may forget that it was.
    pub(crate) fn cleared(&mut self, out: &mut Vec<Effect>) {
        let Some(image) = self
            .image
            .as_ref()
            .filter(|image| self.going.is_empty() && !image.removed.is_empty())
        else {
            return;
        };
        let upto = image.offset;
        if self.id == ShardId(0) {
            self.shard_cleared(ShardId(0), upto);
        } else {
            let news = News::Cleared(upto);
            out.push(Effect::Pass(ShardId(0), Event::News(self.id, news)));
        }
    }

    /// A shard has nothing left of topics whose deletion lies below this offset.
    pub(crate) fn shard_cleared(&mut self, shard: ShardId, upto: Offset) {
        let shards = usize::from(self.shards);
        let Some(head) = &mut self.head else { return };
        head.cleared.insert(shard, upto);
        if head.cleared.len() < shards {
            return;
        }
        let all = head.cleared.values().copied().min().unwrap_or_default();
        head.committed.forget_removed(all);
        head.controller.forget_removed(all);
    }

    fn steer_one(
        &mut self,
        now: Now,
        log: LogId,
        topic: &Arc<Topic>,
        wanted: &Wanted,
        out: &mut Vec<Effect>,
    ) {
        let known = self
            .partitions
            .get(&log)
            .map(|partition| partition.name.clone());
        let name: Arc<str> =
            known.unwrap_or_else(|| format!("{}-{}", topic.name, log.partition).into());
        self.engine.open(
            log,
            LogSpec {
                dir: name.clone(),
                config: topic.config.clone(),
                urgent: false,
            },
        );
        let partition = self.partitions.entry(log).or_insert_with(|| {
            Box::new(Partition {
                name,
                durability: topic.config.durability,
                leader: None,
                parked: Parked::default(),
                listed: false,
                looking: Vec::new(),
            })
        });
        partition.durability = topic.config.durability;
        if wanted.leader != Some(self.me) {
            partition.leader = None;
            return;
        }
        // More than there are replicas can never be in sync: as in Kafka, all of them are enough then.
        let asked = usize::try_from(topic.config.min_in_sync).unwrap_or(usize::MAX);
        let needs = asked.min(wanted.replicas.len());
        match &mut partition.leader {
            Some(leader) if leader.epoch() == wanted.epoch => {
                leader.recorded(&wanted.isr);
                leader.needs(needs);
            }
            leader => {
                *leader = Some(Leader::new(self.me, wanted.epoch, &wanted.isr, needs));
                self.engine.begin_epoch(log, wanted.epoch);
            }
        }
        // What recovery made durable again may be seen at once (#31, #98).
        self.moved(now, log, out);
    }
}
