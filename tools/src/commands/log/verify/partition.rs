//! One segment with its sidecar: batch by batch, the checksum over all its bytes, Kafka's own, offsets, epochs, places.
//! Decides which of the two files is wrong: where a sidecar's entry and chain hold it is the segment, whatever Kafka's
//! checksum says, which leaves out base offset, length, epoch and magic. Holds #6 and #8 as far as a reader can.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use sawlog_core::cluster::batch;
use sawlog_core::ids::{LeaderEpoch, LogId, Offset};
use sawlog_core::log::checksum;
use sawlog_core::log::sidecar::{self, SideEntry, SideHeader};
use sawlog_core::log::state::SegmentState;
use sawlog_wire::records::Batch;

use super::Look;
use crate::commands::log::dump::side_fault;
use crate::commands::log::place::{self, unreadable};
use crate::commands::log::segment::{Next, Segment, zeros_from};
use crate::exit::Failure;

const SEGMENT: &str = "Until a reader meets it all other offsets are served, then none of the partition until the next start. Stop the node and restore the file, and its sidecar, from a backup of this directory";
const SIDECAR: &str = "The records may be whole all the same. Stop the node and restore the file from a backup of this directory";

/// How far a segment was found in order.
struct Order {
    at: u64,
    next: Offset,
    epoch: LeaderEpoch,
    time: i64,
}

impl Look {
    /// A segment of a log, against what the checkpoint knows of it.
    pub(super) fn segment(
        &mut self,
        path: &Path,
        log: LogId,
        known: &SegmentState,
    ) -> Result<(), Failure> {
        let side = path.with_extension("side");
        if !self.wants(path) && !self.wants(&side) {
            return Ok(());
        }
        match std::fs::metadata(path) {
            Ok(file) if file.len() < known.bytes => {
                let what = format!(
                    "the file ends here, and the checkpoint knows {} bytes of it",
                    known.bytes
                );
                self.damage(path, file.len(), what, SEGMENT);
                return Ok(());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.damage(
                    path,
                    0,
                    format!(
                        "the file is missing; it holds offsets {} to {}",
                        known.base,
                        known.next.0 - 1
                    ),
                    SEGMENT,
                );
                return Ok(());
            }
            Err(error) => return Err(unreadable(path, &error)),
        }
        self.read(known.bytes);
        let order = Order {
            at: 0,
            next: known.base,
            epoch: LeaderEpoch(i32::MIN),
            time: i64::MIN,
        };
        let Some((order, chain)) = self.both(path, &side, Some(log), order, Some(known.batches))?
        else {
            return self.batches_alone(path, 0, known.base, Some(known.bytes));
        };
        let as_known = (order.at, order.next, chain, order.time)
            == (known.bytes, known.next, known.chain, known.max_timestamp);
        if !as_known {
            let end = sidecar::HEADER + u64::from(known.batches) * sidecar::ENTRY as u64;
            self.damage(
                &side,
                end,
                "its last entry is not the one that the checkpoint names",
                SIDECAR,
            );
        }
        Ok(())
    }

    /// A segment by itself: by its sidecar as far as that goes, and by Kafka's checksums behind it.
    pub(super) fn segment_alone(&mut self, path: &Path) -> Result<(), Failure> {
        let len = std::fs::metadata(path)
            .map_err(|error| unreadable(path, &error))?
            .len();
        self.read(len);
        let base = match place::kind_of(path) {
            Some(place::Kind::Segment(base)) => base,
            _ => Offset::ZERO,
        };
        let side = path.with_extension("side");
        let order = Order {
            at: 0,
            next: base,
            epoch: LeaderEpoch(i32::MIN),
            time: i64::MIN,
        };
        let covered = if side.exists() {
            self.both(path, &side, None, order, None)?
        } else {
            None
        };
        match covered {
            Some((order, _)) => self.batches_alone(path, order.at, order.next, None),
            None => self.batches_alone(path, 0, base, None),
        }
    }

    /// Entry by entry, batch by batch. `None` when the sidecar gives out.
    fn both(
        &mut self,
        path: &Path,
        side: &Path,
        log: Option<LogId>,
        mut order: Order,
        entries: Option<u32>,
    ) -> Result<Option<(Order, u32)>, Failure> {
        let Some((mut rest, header)) = self.open_side(side) else {
            return Ok(None);
        };
        if header.base != order.next || log.is_some_and(|log| log != header.log) {
            self.damage(side, 0, "it belongs to another segment", SIDECAR);
            return Ok(None);
        }
        let failed = |error: io::Error| unreadable(path, &error);
        let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
        let seed = checksum::seed(header.log);
        let metadata = header.log == LogId::METADATA;
        let mut chain = header.chain;
        let mut bytes = Vec::new();
        let mut count: u32 = 0;
        while entries.is_none_or(|entries| count < entries) {
            let at = sidecar::HEADER + u64::from(count) * sidecar::ENTRY as u64;
            let mut entry = Vec::new();
            let read = rest
                .by_ref()
                .take(sidecar::ENTRY as u64)
                .read_to_end(&mut entry);
            if entries.is_none() && entry.is_empty() && read.is_ok() {
                break;
            }
            let entry = match read
                .map_err(|error| error.to_string())
                .and_then(|_| sidecar::take(&entry).map_err(side_fault))
            {
                Ok((entry, before, after)) if before == chain => {
                    chain = after;
                    entry
                }
                Ok(_) => {
                    self.damage(
                        side,
                        at,
                        "the entry does not follow the one before it",
                        SIDECAR,
                    );
                    return Ok(None);
                }
                Err(why) => {
                    self.damage(side, at, why, SIDECAR);
                    return Ok(None);
                }
            };
            if let Err(why) = order.follow(&entry) {
                self.damage(side, at, why, SIDECAR);
                return Ok(None);
            }
            bytes.clear();
            let read = file
                .by_ref()
                .take(u64::from(entry.len))
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            self.batches += 1;
            if read == entry.len as usize {
                self.batch(path, seed, &entry, &bytes, metadata);
            } else {
                self.damage(
                    path,
                    entry.at,
                    format!("the file ends within the batch at offset {}", entry.base),
                    SEGMENT,
                );
                return Ok(Some((order, chain)));
            }
            count += 1;
        }
        Ok(Some((order, chain)))
    }

    /// One batch, by the entry that covers it.
    fn batch(&mut self, path: &Path, seed: u32, entry: &SideEntry, bytes: &[u8], metadata: bool) {
        let (first, last) = (entry.base, entry.next().0 - 1);
        let kafkas = Batch::first(bytes).and_then(|batch| batch.check_crc());
        if checksum::over(seed, bytes) != entry.checksum {
            let also = match kafkas {
                Ok(()) => {
                    "Kafka's own checksum holds: it leaves out offset, length, epoch and magic"
                        .to_owned()
                }
                Err(fault) => fault.to_string(),
            };
            let what = format!(
                "offsets {first} to {last} do not match the checksum in the sidecar ({also})"
            );
            self.damage(path, entry.at, what, SEGMENT);
        } else if let Err(fault) = kafkas {
            self.damage(
                path,
                entry.at,
                format!("offsets {first} to {last} were stored so: {fault}"),
                SEGMENT,
            );
        } else if let Some(Err(why)) = metadata.then(|| batch::read(bytes)) {
            self.damage(
                path,
                entry.at,
                format!("offsets {first} to {last} hold no records of metadata: {why}"),
                SEGMENT,
            );
        }
    }

    /// Batches that no sidecar covers, by Kafka's own checksum.
    fn batches_alone(
        &mut self,
        path: &Path,
        from: u64,
        mut next: Offset,
        end: Option<u64>,
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| unreadable(path, &error);
        let mut segment = Segment::open(path, end).map_err(failed)?;
        segment.seek(from).map_err(failed)?;
        let mut alone: u64 = 0;
        loop {
            match segment.next().map_err(failed)? {
                Next::Batch(at, header, bytes) => {
                    (self.batches, alone) = (self.batches + 1, alone + 1);
                    if let Err(fault) = Batch::first(&bytes).and_then(|batch| batch.check_crc()) {
                        self.damage(
                            path,
                            at,
                            format!("the batch at offset {}: {fault}", header.base_offset),
                            SEGMENT,
                        );
                    } else if header.base_offset < next.0 {
                        let what = format!(
                            "a batch begins at offset {}, and {next} is due",
                            header.base_offset
                        );
                        self.damage(path, at, what, SEGMENT);
                    }
                    next = Offset(next.0.max(header.next_offset()));
                }
                Next::Rest(at, len, _)
                    if end.is_none() && zeros_from(path, at).map_err(failed)? =>
                {
                    self.note(format!(
                        "{}: {len} bytes from byte {at} on are reserved and not written yet",
                        path.display()
                    ));
                    break;
                }
                Next::Rest(at, _, why) => {
                    self.damage(path, at, why, SEGMENT);
                    break;
                }
                Next::End => break,
            }
        }
        if alone > 0 && from > 0 {
            self.note(format!("{}: {alone} batches from byte {from} on lie behind what the sidecar covers; Kafka's checksums hold where nothing else is said", path.display()));
        }
        Ok(())
    }

    /// A sidecar by itself: header, entries, chain, order.
    pub(super) fn sidecar_alone(&mut self, side: &Path) {
        let Some((mut rest, header)) = self.open_side(side) else {
            return;
        };
        let mut order = Order {
            at: 0,
            next: header.base,
            epoch: LeaderEpoch(i32::MIN),
            time: i64::MIN,
        };
        let (mut chain, mut at) = (header.chain, sidecar::HEADER);
        loop {
            let mut entry = Vec::new();
            let read = rest
                .by_ref()
                .take(sidecar::ENTRY as u64)
                .read_to_end(&mut entry);
            if entry.is_empty() && read.is_ok() {
                self.read(at);
                return;
            }
            let took = read
                .map_err(|error| error.to_string())
                .and_then(|_| sidecar::take(&entry).map_err(side_fault));
            let wrong = match took {
                Ok((entry, before, after)) => {
                    let follows = before == chain;
                    chain = after;
                    if follows {
                        order.follow(&entry).err()
                    } else {
                        Some("the entry does not follow the one before it".to_owned())
                    }
                }
                Err(why) => Some(why),
            };
            if let Some(why) = wrong {
                self.damage(side, at, why, SIDECAR);
                return;
            }
            at += sidecar::ENTRY as u64;
        }
    }

    fn open_side(&mut self, side: &Path) -> Option<(BufReader<File>, SideHeader)> {
        let opened = File::open(side).and_then(|file| {
            let mut file = BufReader::with_capacity(1 << 18, file);
            let mut head = Vec::new();
            file.by_ref().take(sidecar::HEADER).read_to_end(&mut head)?;
            Ok((file, head))
        });
        match opened {
            Err(error) => self.damage(
                side,
                0,
                format!("the sidecar cannot be read: {error}"),
                SIDECAR,
            ),
            Ok((file, head)) => match sidecar::take_header(&head) {
                Ok(header) => return Some((file, header)),
                Err(fault) => self.damage(side, 0, side_fault(fault), SIDECAR),
            },
        }
        None
    }
}

impl Order {
    /// Whether an entry follows what came before: back to back, offsets and epochs rising, the largest timestamp right.
    fn follow(&mut self, entry: &SideEntry) -> Result<(), String> {
        if entry.at != self.at {
            return Err(format!(
                "its batch begins at byte {}, and the one before it ends at {}",
                entry.at, self.at
            ));
        }
        if entry.base < self.next {
            return Err(format!(
                "its batch begins at offset {}, and {} is due",
                entry.base, self.next
            ));
        }
        if entry.epoch < self.epoch {
            return Err(format!(
                "its epoch {} is below {}, that of the batch before it",
                entry.epoch, self.epoch
            ));
        }
        let largest = self.time.max(entry.max_timestamp);
        if entry.running_max != largest {
            return Err(format!(
                "it says that the largest timestamp so far is {}, and it is {largest}",
                entry.running_max
            ));
        }
        self.at += u64::from(entry.len);
        (self.next, self.epoch, self.time) = (entry.next(), entry.epoch, largest);
        Ok(())
    }
}
