//! A whole node on a disk of memory, by what it shows: serving, starting, snapshots, failing.
//! Decides how a test starts a node, and that a refusal changed no file; what must hold, the files beside it say.

mod deleting;
mod failing;
#[cfg(feature = "mutants")]
mod mutants;
mod serving;
mod snapshots;
mod starting;

use crate::complaint::Complaint;
use crate::event::Found;
use crate::node::testing::*;

/// Starts a node that must refuse, and proves that it changed nothing.
fn refused(files: Files, found: Found) -> Complaint {
    let mut world = World::new(files.clone(), found.shards);
    world.start(found);
    assert!(!world.is_ready());
    let complaint = world
        .fatal()
        .unwrap_or_else(|| panic!("{:?}", world.lines))
        .clone();
    assert!(
        world.files == files,
        "a refusal changed the directory: {complaint}"
    );
    for part in [&complaint.what, &complaint.why, &complaint.attempt] {
        assert!(!part.is_empty(), "{complaint:?}");
    }
    assert!(complaint.code.is_some(), "{complaint:?}");
    complaint
}

fn used() -> Files {
    let mut world = World::started(Files::new(), 1);
    let topic = world.create_one("a", 1);
    world.produce(log(topic, 0), batch(&["x"], None));
    world.files
}

fn start(files: Files, found: Found) -> World {
    let mut world = World::new(files, found.shards);
    world.start(found);
    world
}
