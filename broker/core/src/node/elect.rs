//! From the metadata log to an active controller: load it behind the snapshot, begin a term, register, raise the epochs.
//! Decides the order of the first records of a term; never what they change (`cluster`, `controller`).
//! Holds #3, #33, #41 and #44.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use sawlog_wire::control::ControlRecord;

use crate::cluster::batch::{self, Item};
use crate::cluster::image::Image;
use crate::cluster::record::Record;
use crate::config::TopicConfig;
use crate::controller::{Ask, Controller, Registration, Reply};
use crate::effect::Effect;
use crate::ids::{BrokerId, LeaderEpoch, LogId, Offset, Term};
use crate::log::{AppendRefusal, LogSpec, ReadRefusal};
use crate::machine::{Decision, Machine};
use crate::node::chore::{Chore, replace};
use crate::node::head::{Head, Then};
use crate::node::identity::Identity;
use crate::node::life::Running;
use crate::node::parts::Tag;
use crate::node::snapshots::Saved;
use crate::node::start::{BLOCK, METADATA_DIR, QUORUM_STATE};
use crate::now::{Now, Wall};
use crate::proof;
use crate::quorum::control::{self, Voter};
use crate::quorum::next_term;
use crate::quorum::state::QuorumState;

/// What of the dice the process's life is named by.
const INCARNATION: u64 = 1 << 48;
/// Records of an activation are written in batches of this many: together they are more than one batch may hold.
const ACTIVATION_RECORDS: usize = 4096;

/// The fold of the metadata log while it is read.
#[derive(Debug)]
pub(super) struct Loading {
    pub(super) image: Image,
    pub(super) voters: Vec<Voter>,
    /// Term of the last batch read.
    pub(super) term: Option<Term>,
    pub(super) end: Offset,
    pub(super) bytes: u64,
    pub(super) last: Wall,
}

impl Running {
    pub(super) fn load(&mut self, now: Now, out: &mut Vec<Effect>) {
        let config = TopicConfig {
            retention_time: None,
            retention_bytes: None,
            ..TopicConfig::default()
        };
        self.engine.open(
            LogId::METADATA,
            LogSpec {
                dir: METADATA_DIR.into(),
                config: config.into(),
                urgent: true,
            },
        );
        let marks = self.engine.marks(LogId::METADATA).unwrap_or_default();
        let image = self
            .coming
            .image
            .take()
            .unwrap_or_else(|| self.empty_image());
        let from = image.offset;
        // Judged before anything was accepted.
        assert!(marks.start <= from, "#39: {marks:?}, snapshot at {from}");
        assert!(from <= marks.next, "#39: {marks:?}, snapshot at {from}");
        let voters = self
            .coming
            .snapshot
            .take()
            .map(|snapshot| snapshot.voters)
            .unwrap_or_default();
        let loading = Loading {
            image,
            voters,
            term: None,
            end: marks.next,
            bytes: 0,
            last: Wall(-1),
        };
        self.coming.loading = Some(loading);
        self.load_on(now, out);
    }

    pub(super) fn load_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(loading) = &self.coming.loading else {
            return;
        };
        let (next, end) = (loading.image.offset, loading.end);
        if next >= end {
            return self.elect(now, out);
        }
        let tag = self.tag(Tag::Metadata);
        self.engine
            .load(LogId::METADATA, next, BLOCK, tag, &mut self.ops);
    }

    /// Batches of the metadata log, verified by the engine.
    pub(crate) fn loaded(
        &mut self,
        now: Now,
        tag: u64,
        loaded: Result<Vec<Bytes>, ReadRefusal>,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(self.tags.remove(&tag), Some(Tag::Metadata)) {
            return;
        }
        let applied = match (loaded, &mut self.coming.loading) {
            (Ok(batches), Some(loading)) => loading.apply_all(&batches),
            (Ok(_), None) => return,
            (Err(refusal), _) => Err(format!("{refusal:?}")),
        };
        match applied {
            Ok(()) => self.load_on(now, out),
            Err(why) => {
                let why = format!("{METADATA_DIR}: {why}");
                let attempt =
                    "Start the build that wrote it, or restore the log directory from a backup";
                self.refuse("the metadata log cannot be read", why, attempt, out);
            }
        }
    }

    /// Elects itself: nobody else votes.
    pub(super) fn elect(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (Some(loading), Some(identity)) =
            (self.coming.loading.take(), self.coming.identity.clone())
        else {
            return;
        };
        let remembered = self.coming.quorum_state.map(|state| state.term);
        let Some(term) = next_term(remembered, loading.term, Some(loading.image.term)) else {
            let why = String::from("the last term is the highest there is");
            return self.refuse(
                "no election can be held",
                why,
                "Restore the log directory from a backup",
                out,
            );
        };
        let voter = self.voter(&identity);
        let known = loading.voters.first();
        if known.is_none_or(|known| (known.id, known.directory) != (voter.id, voter.directory))
            || loading.voters.len() > 1
        {
            let why = format!(
                "its voters are {:?}, this directory is {} of node {}",
                loading.voters, voter.directory, voter.id
            );
            return self.refuse(
                "the metadata log belongs elsewhere",
                why,
                "Give the directory its own files back",
                out,
            );
        }
        let mut control = vec![control::leader_change(voter.id)];
        if loading.end == Offset::ZERO {
            control.push(control::kraft_version());
        }
        if loading.end == Offset::ZERO || known != Some(&voter) {
            control.push(control::voters(core::slice::from_ref(&voter)));
        }

        let state = QuorumState {
            leader: Some(self.me),
            term,
            voted: Some((voter.id, voter.directory)),
        };
        let steps = replace(
            METADATA_DIR,
            QUORUM_STATE,
            vec![Bytes::from(state.encode())],
        );
        self.chores.begin(Chore::Voted, steps, &mut self.ops);
        self.engine
            .begin_epoch(LogId::METADATA, LeaderEpoch(term.0));
        let whole = core::mem::take(&mut self.coming.whole);
        let controller = Controller::new(loading.image.clone(), self.found.config.clone());
        let saved = Saved::new(whole, loading.bytes, now);
        self.head = Some(Box::new(Head::new(
            voter,
            term,
            loading.image,
            controller,
            saved,
            loading.last,
        )));
        let proposed = self
            .propose_control(now, &control)
            .and_then(|at| self.activate(now, &identity, at));
        if let Err(refusal) = proposed {
            let why = format!("{refusal:?}");
            self.refuse(
                "the metadata log takes no records",
                why,
                "Free space on the disk, then start again",
                out,
            );
        }
        self.metadata_moved(now, out);
    }

    /// Registers this node and begins its leaderships anew (#3).
    pub(super) fn activate(
        &mut self,
        now: Now,
        identity: &Identity,
        at: Offset,
    ) -> Result<(), AppendRefusal> {
        let Some(head) = &self.head else {
            return Err(AppendRefusal::NotOpen);
        };
        let registration = Registration {
            rack: self.found.config.rack.clone(),
            node: self.me,
            incarnation: self.dice.id(INCARNATION),
            directory: identity.directory,
            endpoints: self.found.endpoints.to_vec(),
            at,
        };
        let Decision {
            log,
            reply: Reply::Active(_),
        } = head
            .controller
            .decide(now, &Ask::Activate(Box::new(registration)))
        else {
            unreachable!("an activation is answered by a registration");
        };
        let mut batches = log.chunks(ACTIVATION_RECORDS).map(<[_]>::to_vec).peekable();
        while let Some(records) = batches.next() {
            let then = if batches.peek().is_none() {
                Then::Active
            } else {
                Then::Nothing
            };
            self.propose(now, records, then)?;
        }
        Ok(())
    }
}

impl Loading {
    /// Applies batches in the order of the log; the same `apply` as live (#41).
    fn apply_all(&mut self, batches: &[Bytes]) -> Result<(), String> {
        let before = self.image.offset;
        for run in batches {
            let mut rest: &[u8] = run;
            while !rest.is_empty() {
                let (header, len, items) = batch::read(rest)?;
                let at = Offset(header.base_offset);
                if at != self.image.offset {
                    return Err(format!(
                        "a batch stands at offset {at} where {} belongs",
                        self.image.offset
                    ));
                }
                let term = Term(header.leader_epoch);
                if term < self.image.term {
                    return Err(format!(
                        "the batch at offset {at} is of term {term}, after term {}",
                        self.image.term
                    ));
                }
                for item in items {
                    match item {
                        Item::Record(Record::PartitionChange(_))
                            if proof::mutant("load-skips-changes") => {}
                        Item::Record(record) => self
                            .image
                            .apply(&record)
                            .map_err(|misfit| format!("offset {at}: {misfit}"))?,
                        Item::Control(ControlRecord::LeaderChange(change)) => {
                            self.image.elected(term, BrokerId(change.leader_id));
                        }
                        Item::Control(ControlRecord::Voters(record)) => {
                            self.voters = control::named(&record)
                        }
                        Item::Control(_) => {}
                    }
                }
                self.image.offset = Offset(header.next_offset());
                self.term = Some(term);
                self.bytes = self
                    .bytes
                    .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
                self.last = Wall(header.max_timestamp);
                rest = rest.get(len..).unwrap_or_default();
            }
        }
        if self.image.offset == before {
            return Err(format!("nothing can be read from offset {before} on"));
        }
        Ok(())
    }
}
