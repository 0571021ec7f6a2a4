//! Shard 0's head: the metadata log, the quorum of one that commits it, and the controller that writes it.
//! Decides when a proposal is committed and who is told; never what it says (`controller`) or changes (`cluster`).
//! Holds #41 (one `apply`, live and at load), #43 (answered only when committed), #44 and #73.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::Code;
use sawlog_wire::control::ControlRecord;
use sawlog_wire::records::BatchHeader;

use crate::answer::Response;
use crate::cluster::batch;
use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::complaint::Complaint;
use crate::controller::{Ask, Controller, PRODUCER_ID_BLOCK, Reply};
use crate::effect::Effect;
use crate::event::{Event, News};
use crate::ids::{
    ConnId, LeaderEpoch, LogId, Offset, ProducerEpoch, ProducerId, ShardId, Term, Waiter,
};
use crate::log::{AppendRefusal, Appended};
use crate::machine::{Decision, Machine};
use crate::map::Map;
use crate::node::command::Waiting;
use crate::node::life::Running;
use crate::node::parts::no_producer_id;
use crate::node::snapshots::Saved;
use crate::now::{Now, Wall};
use crate::proof;
use crate::quorum;
use crate::quorum::control::Voter;

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) voter: Voter,
    pub(crate) term: Term,
    /// The fold of what is committed.
    pub(crate) committed: Image,
    pub(crate) controller: Controller,
    /// In the log, not known to be committed.
    proposed: VecDeque<Proposed>,
    /// Commands that somebody waits for.
    pub(super) commands: Vec<Waiting>,
    producer_ids: ProducerIdPool,
    /// Up to which image each shard has opened what it owns.
    opened: Map<ShardId, Offset>,
    /// Up to which image nothing of a deleted topic is left in each shard.
    pub(super) cleared: Map<ShardId, Offset>,
    /// End of the activation: the node is there when every shard has opened up to here.
    pub(crate) active: Option<Offset>,
    pub(crate) saved: Saved,
    /// Timestamp of the last committed record.
    pub(crate) last: Wall,
}

/// A batch on its way to being committed.
#[derive(Debug)]
struct Proposed {
    end: Offset,
    bytes: u64,
    what: What,
    then: Then,
}

/// What a batch holds.
#[derive(Debug)]
enum What {
    /// A term began.
    Elected,
    /// Records of the cluster.
    Records(Vec<Record>),
}

/// What is true once a batch is committed.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing that anybody waits for.
    Nothing,
    /// The activation is whole.
    Active,
    /// A block of producer ids begins here.
    ProducerIds(i64),
}

/// Producer ids granted to this node and not given out yet.
#[derive(Debug, Default)]
struct ProducerIdPool {
    next: i64,
    end: i64,
    asked: bool,
    waiting: VecDeque<Waiter>,
}

impl Head {
    /// Takes office: everything in the log before this term is applied (#44).
    pub(crate) fn new(
        voter: Voter,
        term: Term,
        committed: Image,
        controller: Controller,
        saved: Saved,
        last: Wall,
    ) -> Head {
        Head {
            voter,
            term,
            committed,
            controller,
            proposed: VecDeque::new(),
            commands: Vec::new(),
            producer_ids: ProducerIdPool::default(),
            opened: Map::new(),
            cleared: Map::new(),
            active: None,
            saved,
            last,
        }
    }

    /// End of all that the controller has seen, whether or not it is committed.
    pub(super) fn seen(&self) -> Offset {
        self.proposed
            .back()
            .map_or(self.committed.offset, |proposed| proposed.end)
    }

    /// Up to which image every one of so many shards has opened what it owns.
    pub(super) fn opened_by_all(&self, shards: u16) -> Offset {
        if self.opened.len() < usize::from(shards) {
            return Offset::ZERO;
        }
        self.opened.values().copied().min().unwrap_or_default()
    }
}

impl Running {
    /// Begins a term with the quorum's own records.
    pub(crate) fn propose_control(
        &mut self,
        now: Now,
        records: &[ControlRecord],
    ) -> Result<Offset, AppendRefusal> {
        let bytes = batch::control(now.wall, records);
        self.propose_batch(now, bytes, What::Elected, Then::Nothing)
    }

    /// Writes what the controller decided, and applies it to the controller's own image at once (#44).
    pub(crate) fn propose(
        &mut self,
        now: Now,
        records: Vec<Record>,
        then: Then,
    ) -> Result<Offset, AppendRefusal> {
        let bytes = batch::data(now.wall, &records);
        self.propose_batch(now, bytes, What::Records(records), then)
    }

    fn propose_batch(
        &mut self,
        now: Now,
        bytes: Bytes,
        what: What,
        then: Then,
    ) -> Result<Offset, AppendRefusal> {
        let Some(head) = &mut self.head else {
            return Err(AppendRefusal::NotOpen);
        };
        let header = match BatchHeader::parse(&bytes) {
            Ok(header) => header,
            Err(fault) => unreachable!("a batch that was just built: {fault}"),
        };
        let (len, epoch) = (bytes.len(), LeaderEpoch(head.term.0));
        let (base, last) = match self
            .engine
            .append(now, LogId::METADATA, &header, bytes, epoch)?
        {
            Appended::New { base, last } => (base, last),
            Appended::Duplicate { base, .. } => {
                unreachable!("metadata at {base} has no producer id")
            }
        };
        if let What::Records(records) = &what {
            for (at, record) in (base.0..).zip(records) {
                head.controller.apply(Offset(at), record);
            }
        }
        let bytes = u64::try_from(len).unwrap_or(u64::MAX);
        head.proposed.push_back(Proposed {
            end: last.plus(1),
            bytes,
            what,
            then,
        });
        Ok(last.plus(1))
    }

    /// The metadata log's marks moved: what a majority holds is committed, applied, published, answered.
    pub(crate) fn metadata_moved(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(marks) = self.engine.marks(LogId::METADATA) else {
            return;
        };
        let Some(head) = &mut self.head else { return };
        let hw = quorum::watermark(&mut [quorum::own_end(&marks)])
            .unwrap_or_default()
            .max(marks.hw);
        self.engine.raise(LogId::METADATA, hw, hw);
        let (mut published, mut thens) = (false, Vec::new());
        while head
            .proposed
            .front()
            .is_some_and(|proposed| proposed.end <= hw)
        {
            let Some(Proposed {
                end,
                bytes,
                what,
                then,
            }) = head.proposed.pop_front()
            else {
                break;
            };
            match &what {
                What::Elected => head.committed.elected(head.term, head.voter.id),
                What::Records(records) => {
                    for record in records {
                        let done = head.committed.apply(record);
                        assert!(done.is_ok(), "#41: committed below {end}: {done:?}");
                    }
                }
            }
            head.committed.offset = end;
            head.last = now.wall;
            head.saved.grown(bytes);
            published = true;
            if matches!(then, Then::Active) {
                head.active = Some(end);
            }
            thens.push(then);
        }
        if published && head.active.is_some() {
            out.push(Effect::Image(Arc::new(head.committed.clone())));
        }
        for then in thens {
            match then {
                Then::Nothing => {}
                Then::Active => self.registered(out),
                Then::ProducerIds(first) => self.producer_ids_granted(first, out),
            }
        }
        self.commanded(out);
        self.snapshot_if_due(now);
    }

    /// A shard has opened what it owns of the image up to this offset.
    pub(crate) fn opened(
        &mut self,
        now: Now,
        shard: ShardId,
        offset: Offset,
        out: &mut Vec<Effect>,
    ) {
        let shards = self.shards;
        let Some(head) = &mut self.head else { return };
        head.opened.insert(shard, offset);
        let all = head.opened_by_all(shards);
        if head.active.is_some_and(|active| active <= all) {
            self.coming.open = true;
            self.ready_if_all(now, out);
        }
        self.commanded(out);
    }

    /// Grants a producer id that nobody had before (#73): from the block, or from the next one once that is committed.
    pub(crate) fn grant_producer_id(&mut self, now: Now, waiter: Waiter, out: &mut Vec<Effect>) {
        let (me, epoch) = (self.me, self.broker_epoch);
        let Some(head) = &mut self.head else {
            out.push(Effect::Reply(waiter, no_producer_id(Code::NotCoordinator)));
            return;
        };
        head.producer_ids.waiting.push_back(waiter);
        if head.producer_ids.next >= head.producer_ids.end && !head.producer_ids.asked {
            if proof::mutant("producer-ids-unlogged") {
                return self.producer_ids_granted(1, out);
            }
            let Decision { log, reply } = head.controller.decide(now, &Ask::ProducerIds(me, epoch));
            let Reply::ProducerIds(first) = reply else {
                return;
            };
            if self.propose(now, log, Then::ProducerIds(first)).is_err() {
                self.refuse_producer_ids(Code::CoordinatorNotAvailable, out);
                return;
            }
            if let Some(head) = &mut self.head {
                head.producer_ids.asked = true;
            }
        }
        self.give_producer_ids(out);
    }

    fn producer_ids_granted(&mut self, first: i64, out: &mut Vec<Effect>) {
        if let Some(head) = &mut self.head {
            head.producer_ids.next = first;
            head.producer_ids.end = first.saturating_add(PRODUCER_ID_BLOCK);
            head.producer_ids.asked = false;
        }
        self.give_producer_ids(out);
    }

    fn give_producer_ids(&mut self, out: &mut Vec<Effect>) {
        let Some(head) = &mut self.head else { return };
        let pool = &mut head.producer_ids;
        while pool.next < pool.end {
            let Some(waiter) = pool.waiting.pop_front() else {
                break;
            };
            let granted = Response::ProducerId {
                code: Code::None,
                id: ProducerId(pool.next),
                epoch: ProducerEpoch(0),
            };
            pool.next += 1;
            out.push(Effect::Reply(waiter, granted));
        }
    }

    fn refuse_producer_ids(&mut self, code: Code, out: &mut Vec<Effect>) {
        let Some(head) = &mut self.head else { return };
        let waiting = core::mem::take(&mut head.producer_ids.waiting);
        out.extend(
            waiting
                .into_iter()
                .map(|waiter| Effect::Reply(waiter, no_producer_id(code))),
        );
    }

    pub(crate) fn forget_metadata(&mut self, conn: ConnId) {
        if let Some(head) = &mut self.head {
            head.commands.retain(|waiting| waiting.waiter.conn != conn);
            head.producer_ids
                .waiting
                .retain(|waiter| waiter.conn != conn);
        }
    }

    pub(crate) fn abandon_metadata(&mut self, out: &mut Vec<Effect>) {
        self.refuse_producer_ids(Code::CoordinatorNotAvailable, out);
        self.abandon_commands(out);
    }

    /// The node cannot go on without its metadata log; the next start knows what to do about it.
    pub(crate) fn metadata_offline(&mut self, why: &str, out: &mut Vec<Effect>) {
        let complaint = Complaint {
            what: String::from("the metadata log cannot be read"),
            why: String::from(why),
            attempt: String::from(
                "Start again: recovery names the damage, and goes on from a snapshot where one covers it",
            ),
            code: Some(Code::KafkaStorageError),
        };
        self.die(complaint, out);
    }

    /// The activation is committed: every shard learns under which registration it serves (#103).
    fn registered(&mut self, out: &mut Vec<Effect>) {
        let (me, shards) = (self.me, self.shards);
        let Some(head) = &self.head else { return };
        let Some(broker) = head.committed.brokers.get(&me) else {
            return;
        };
        self.broker_epoch = broker.epoch;
        for shard in 1..shards {
            out.push(Effect::Pass(
                ShardId(shard),
                Event::News(self.id, News::Registered(broker.epoch)),
            ));
        }
    }
}
