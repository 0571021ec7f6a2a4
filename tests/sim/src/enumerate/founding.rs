//! Foundings cut short: a directory is laid out, crashed at any operation, laid out again, one of its checkpoints rots on
//! the way, and in the end it takes and keeps a batch. Decides where it crashes and judges the end: #97, #100, #102.

use sawlog_core::config::TopicConfig;
use sawlog_core::ids::{LeaderEpoch, Offset};
use sawlog_core::log::Told;
use sawlog_core::proof;
use sawlog_wire::records::batch::BatchHeader;

use super::life::{Tally, built, log, rot_a_checkpoint, strike};
use super::oracle::Need;
use super::rig::Rig;
use crate::disk::Disk;
use crate::rng::Rng;

/// Foundings of one workload.
const TIMES: u64 = 8;

/// Founds, each time with one crash or more on the way.
pub(super) fn found(seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut rng = Rng::named(seed, "founding");
    for nth in 0..TIMES {
        one(&mut rng, tally).map_err(|why| format!("founding {nth}: {why}"))?;
    }
    Ok(())
}

fn one(rng: &mut Rng, tally: &mut Tally) -> Result<(), String> {
    let (mut disk, mut boot, mut identity) = (Disk::default(), 1, false);
    let (mut rounds, mut rotten) = (rng.between(1, 3), false);
    while rounds > 0 {
        rounds -= 1;
        // The start that meets the rot is cut short early: what it found may be gone for the next one.
        let steps = rng.below(if rotten { 12 } else { 40 });
        let (rig, ready) = Rig::lay(disk, boot, &mut identity, Some(steps), rng)?;
        if !ready {
            proof::sometimes("founding-cut-short");
        }
        let how = if rng.chance(600) {
            Need::Durable
        } else {
            Need::Written
        };
        disk = rig.disk;
        boot = strike(&mut disk, how, boot, rng);
        // One copy in all: two would be more than the engine promises to survive.
        if !rotten && rng.chance(400) && rot_a_checkpoint(&mut disk, identity, rng).is_some() {
            rotten = true;
            rounds += 1;
            tally.rotten += 1;
        }
        tally.states += 1;
        match how {
            Need::Durable => tally.cuts += 1,
            Need::Written => tally.kills += 1,
        }
    }
    let (mut rig, ready) = Rig::lay(disk, boot, &mut identity, None, rng)?;
    if !ready {
        return Err("#97: it does not come up".to_owned());
    }
    let id = log(1);
    rig.open(id, &"t-0".into(), &TopicConfig::default());
    let raw = built(2, b"first", 1_000_000, None)?;
    let header = BatchHeader::parse(&raw).map_err(|e| format!("{e:?}"))?;
    let answer = rig.engine.append(rig.now, id, &header, raw, LeaderEpoch(1));
    rig.settle(rng)?;
    if !rig.told.contains(&Told::Durable(id, Offset(2))) {
        return Err(format!("#11: {answer:?}, and then {:?}", rig.told));
    }
    let (mut disk, now) = (rig.disk, rig.now);
    let boot = strike(&mut disk, Need::Durable, boot, rng);
    let mut rig = Rig::rise(disk, boot, now, rng);
    rig.recover(None, rng)?;
    match rig.engine.marks(id) {
        Some(marks) if marks.durable == Offset(2) => Ok(()),
        marks => Err(format!("#96: two records were acknowledged, {marks:?}")),
    }
}
