//! What is left when a process dies or the power goes. Decides by chance, within the fault model of the parent; never what
//! was written.

use std::collections::BTreeSet;

use bytes::Bytes;
use sawlog_core::file::FileOp;

use crate::blocks::Blocks;
use crate::disk::{
    Change, Choose, Disk, Named, NodeId, ROOT, SECTOR, apply, flatten, size, within,
};

impl Disk {
    /// The process died: what was queued is done in part or not at all, what was completed stays.
    pub fn kill(&mut self, chance: &mut dyn Choose) {
        self.tear_queued();
        for (_, op, _) in std::mem::take(&mut self.queue) {
            // A process dies between the pieces of what the kernel was asked for; the kernel finishes what it began.
            if chance.coin() {
                if let FileOp::Put {
                    file, at, pieces, ..
                } = &op
                {
                    let bytes = flatten(pieces);
                    let keep =
                        chance.choose(bytes.len() as u64 / SECTOR as u64 + 1) as usize * SECTOR;
                    let keep = if chance.choose(4) == 0 {
                        bytes.len()
                    } else {
                        keep.min(bytes.len())
                    };
                    self.write_live(file, size(*at), bytes.slice(..keep));
                } else {
                    self.run(&op);
                }
            }
        }
    }

    fn tear_queued(&mut self) {
        if !self.ledger.on {
            return;
        }
        let queue = std::mem::take(&mut self.queue);
        for (_, op, _) in &queue {
            if let FileOp::Put {
                file, at, pieces, ..
            } = op
            {
                self.tear(file, size(*at), &flatten(pieces));
            }
        }
        self.queue = queue;
    }

    /// The power was cut: of all that was not made durable, chance decides what survives.
    pub fn power_cut(&mut self, chance: &mut dyn Choose) {
        self.tear_queued();
        for (_, op, _) in std::mem::take(&mut self.queue) {
            if let FileOp::Put {
                file, at, pieces, ..
            } = &op
                && chance.coin()
            {
                self.write_live(file, size(*at), flatten(pieces));
            } else if matches!(
                op,
                FileOp::Rename { .. } | FileOp::Unlink(_) | FileOp::Cut { .. }
            ) && chance.coin()
            {
                self.run(&op);
            }
        }
        let mut names = std::mem::take(&mut self.safe);
        for naming in std::mem::take(&mut self.naming) {
            if chance.coin() {
                apply(&mut names, &naming.changes);
            }
        }
        // A name in a directory that did not survive is gone with it.
        let there: BTreeSet<_> = within(&names, ROOT).into_iter().collect();
        names.retain(|name, _| there.contains(name));
        for node in self.nodes.values_mut() {
            let mut bytes = std::mem::take(&mut node.safe);
            for (_, change) in std::mem::take(&mut node.pending) {
                match change {
                    Change::Write { at, bytes: written } => {
                        survive(&mut bytes, at, &written, chance)
                    }
                    Change::Cut { len } if chance.coin() && len < bytes.len() => bytes.resize(len),
                    Change::Cut { .. } => {}
                }
            }
            node.stained = false;
            node.safe = bytes.clone();
            node.live = bytes;
        }
        self.live = names.clone();
        self.safe = names;
        self.forget_nameless();
    }

    fn forget_nameless(&mut self) {
        let named: BTreeSet<NodeId> = self
            .live
            .values()
            .filter_map(|named| match named {
                Named::File(id) => Some(*id),
                Named::Dir(_) => None,
            })
            .collect();
        self.nodes.retain(|id, _| named.contains(id));
    }
}

/// Of a write that was not synced, each sector survives or not.
fn survive(safe: &mut Blocks, at: usize, bytes: &Bytes, chance: &mut dyn Choose) {
    // Often all or nothing: that is what most crashes look like, and the rare ones still come.
    match chance.choose(4) {
        0 => {}
        1 => safe.write(at, bytes),
        _ => {
            let mut from = 0;
            while from < bytes.len() {
                let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                if chance.coin() {
                    safe.write(at + from, bytes.get(from..to).unwrap_or_default());
                }
                from = to;
            }
        }
    }
}
