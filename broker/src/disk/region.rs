//! Memory for buffers, in regions of its own beside the heap: whole huge pages, of which a buffer is a run of small ones.
//! Decides where a run lies, and which huge pages go back to the kernel; never what is in them.
//!
//! A heap in huge pages keeps two megabytes for a few bytes; buffers in small ones cost a tenth of the CPU of a request.
//! So each has pages of its own kind (decision 0015). A run lies at the lowest place that has room for it: what is in use
//! stays dense, and what is free can serve any length. A huge page of which a part is in use stays resident.
//!
//! The one file of the broker that is not safe Rust by itself: one mapping is shared by many runs that are written to. A
//! [`Run`] is made by [`Regions::take`] only, out of what is free, and what is free overlaps no run. Holds #7 for what is
//! in memory: bytes stay what they were.
#![expect(
    unsafe_code,
    reason = "no safe name exists for exclusive parts of one mapping, or for giving a part of it back"
)]

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use sawlog_core::proof;

use super::buffer::PAGE;

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;
/// Bytes of a region: of addresses, not of memory.
const REGION: usize = 64 << 20;

/// Address space that ends with its last run.
#[derive(Debug)]
struct Mapping {
    /// What the kernel gave, and its bytes.
    given: (NonNull<u8>, usize),
    /// The first huge page in it.
    base: NonNull<u8>,
}

// SAFETY: it is plain memory of this process; who may touch which part of it is told by `Run`s.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Of `REGION` bytes that are zero, if the kernel has addresses for them.
    fn new() -> Option<Mapping> {
        let len = REGION + HUGE;
        // SAFETY: the kernel chooses addresses that nothing uses.
        let given = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        };
        let given = NonNull::new(given.ok()?.cast::<u8>())?;
        let skip = given.as_ptr().align_offset(HUGE);
        assert!(skip < HUGE, "bytes can be aligned to any power of two");
        // SAFETY: `skip` is within the mapping, which is one huge page longer than the region.
        let base = unsafe { given.add(skip) };
        // SAFETY: all of it is within the mapping. A kernel without huge pages refuses, and small ones do.
        let _ = unsafe { madvise(base.as_ptr().cast(), REGION, Advice::LinuxHugepage) };
        Some(Mapping {
            given: (given, len),
            base,
        })
    }

    /// Gives a huge page back; it is zero when it is touched again.
    fn forget(&self, page: usize) {
        assert!(page < REGION / HUGE, "a page of the region");
        // SAFETY: within the mapping, and no run overlaps it: the caller found it free.
        let _ = unsafe {
            let at = self.base.add(page * HUGE);
            madvise(at.as_ptr().cast(), HUGE, Advice::LinuxDontNeed)
        };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let (given, len) = self.given;
        // SAFETY: it was given as this, and no run is left that could touch it.
        let _ = unsafe { munmap(given.as_ptr().cast(), len) };
    }
}

/// Bytes that are nobody else's: zeros, or what its last user left. They come back by [`Regions::put`], else with the
/// whole region.
#[derive(Debug)]
pub struct Run {
    of: Arc<Mapping>,
    at: usize,
    len: usize,
}

impl Deref for Run {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: within the mapping, which lives as long as this; initialised by the kernel; written to only through
        // this run, for runs do not overlap.
        unsafe { std::slice::from_raw_parts(self.of.base.add(self.at).as_ptr(), self.len) }
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; and this run is borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.of.base.add(self.at).as_ptr(), self.len) }
    }
}

/// What is known of a huge page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Page {
    /// No memory stands behind it.
    Bare,
    /// In use, or not long ago.
    Warm,
    /// Free when somebody last looked.
    Idle,
}

#[derive(Debug)]
struct Region {
    mapping: Arc<Mapping>,
    /// What is free: where it begins, and how long it is. No two touch.
    free: BTreeMap<usize, usize>,
    pages: Vec<Page>,
}

/// All regions of a pool.
#[derive(Debug, Default)]
pub struct Regions {
    all: Vec<Region>,
    used: usize,
}

impl Regions {
    /// The longest run.
    pub const LONGEST: usize = REGION;

    /// A run of `len` bytes, which are whole small pages; none if it is too long or there are no addresses left.
    pub fn take(&mut self, len: usize) -> Option<Run> {
        assert!(len > 0 && len.is_multiple_of(PAGE), "whole pages");
        if len > Self::LONGEST {
            return None;
        }
        let run = match self.all.iter_mut().find_map(|region| region.take(len)) {
            Some(run) => run,
            None => {
                let mut region = Region::new()?;
                let run = region.take(len)?;
                self.all.push(region);
                run
            }
        };
        self.used += len;
        Some(run)
    }

    /// Takes a run back.
    pub fn put(&mut self, run: Run) {
        let region = self.all.iter_mut();
        let mut home = region.filter(|region| Arc::ptr_eq(&region.mapping, &run.of));
        if let Some(region) = home.next() {
            self.used -= run.len;
            region.put(run);
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Bytes of huge pages that were touched and in which nothing lies.
    pub fn idle(&self) -> usize {
        self.all
            .iter()
            .map(|region| region.idle().count())
            .sum::<usize>()
            * HUGE
    }

    /// Gives back the huge pages in which nothing lay since it was last called, but for the first `keep` bytes of them; and
    /// regions in which nothing is left.
    pub fn tidy(&mut self, keep: usize) {
        let mut keep = keep / HUGE;
        for region in &mut self.all {
            region.tidy(&mut keep);
        }
        self.all.retain(|region| !region.is_bare());
    }
}

impl Region {
    fn new() -> Option<Region> {
        Some(Region {
            mapping: Arc::new(Mapping::new()?),
            free: BTreeMap::from([(0, REGION)]),
            pages: vec![Page::Bare; REGION / HUGE],
        })
    }

    fn take(&mut self, len: usize) -> Option<Run> {
        let (at, room) = self.free.iter().find(|(_, room)| **room >= len)?;
        let (at, room) = (*at, *room);
        self.free.remove(&at);
        if room > len {
            self.free.insert(at + len, room - len);
        }
        let touched = at / HUGE..(at + len).div_ceil(HUGE);
        self.pages.get_mut(touched)?.fill(Page::Warm);
        Some(Run {
            of: self.mapping.clone(),
            at,
            len,
        })
    }

    fn put(&mut self, run: Run) {
        let (mut at, mut end) = (run.at, run.at + run.len);
        if let Some((before, room)) = self.free.range(..at).next_back()
            && before + room == at
        {
            at = *before;
        }
        if let Some(room) = self.free.remove(&end) {
            end += room;
        }
        self.free.insert(at, end - at);
    }

    /// Huge pages that are free and not bare.
    fn idle(&self) -> impl Iterator<Item = usize> + '_ {
        let whole = |(at, room): (&usize, &usize)| {
            if proof::mutant("huge-page-in-use-given-back") {
                return at / HUGE..(at + room).div_ceil(HUGE);
            }
            at.div_ceil(HUGE)..(at + room) / HUGE
        };
        let bare = |page: &usize| self.pages.get(*page).is_none_or(|page| *page == Page::Bare);
        self.free
            .iter()
            .flat_map(whole)
            .filter(move |page| !bare(page))
    }

    fn tidy(&mut self, keep: &mut usize) {
        let idle: Vec<usize> = self.idle().collect();
        for at in idle {
            let Some(page) = self.pages.get_mut(at) else {
                continue;
            };
            if *page == Page::Warm {
                *page = Page::Idle;
            } else if *keep > 0 {
                *keep -= 1;
            } else {
                self.mapping.forget(at);
                *page = Page::Bare;
            }
        }
    }

    fn is_bare(&self) -> bool {
        self.free.get(&0) == Some(&REGION) && self.pages.iter().all(|page| *page == Page::Bare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes and gives back runs of all lengths by chance; each is filled with its number and looked at again.
    fn churn(tidy: bool) -> Result<Regions, &'static str> {
        let (mut regions, mut runs) = (Regions::default(), Vec::new());
        let mut chance = 1_u64;
        for number in 0..6_000_u32 {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let dice = usize::try_from(chance >> 33).unwrap();
            if number < 3_000 && !dice.is_multiple_of(3) || runs.is_empty() {
                let pages = 1 + dice % [1, 16, 64, 100][dice / 7 % 4];
                let mut run = regions.take(pages * PAGE).ok_or("no addresses")?;
                run.first_chunk_mut::<4>()
                    .unwrap()
                    .copy_from_slice(&number.to_be_bytes());
                run.last_chunk_mut::<4>()
                    .unwrap()
                    .copy_from_slice(&number.to_be_bytes());
                runs.push((number, run));
            } else {
                let (number, run) = runs.swap_remove(dice % runs.len());
                let written = Some(&number.to_be_bytes());
                if run.first_chunk() != written || run.last_chunk() != written {
                    return Err("somebody else wrote into it");
                }
                regions.put(run);
            }
            let held: usize = runs.iter().map(|(_, run)| run.len()).sum();
            assert_eq!(regions.used(), held);
            if tidy && dice.is_multiple_of(10) {
                regions.tidy(0);
            }
            if regions.all.len() > 4 {
                return Err("what is free is not used again");
            }
        }
        for (_, run) in runs {
            regions.put(run);
        }
        Ok(regions)
    }

    #[test]
    fn no_two_runs_overlap_and_nothing_is_lost_by_giving_pages_back_7() {
        for tidy in [false, true] {
            let mut regions = churn(tidy).unwrap();
            let whole = |region: &Region| region.free.len() == 1 && region.free[&0] == REGION;
            assert!(regions.all.iter().all(whole), "what touches is joined");
            regions.tidy(0);
            regions.tidy(0);
            assert_eq!((regions.idle(), regions.all.len()), (0, 0));
        }
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_page_given_back_while_it_is_in_use_is_caught_7() {
        proof::choose(Some("huge-page-in-use-given-back"));
        let churned = churn(true);
        proof::choose(None);
        assert!(
            churned.is_err(),
            "the mutant must be seen: bytes turned to zeros"
        );
    }

    #[test]
    fn what_is_free_serves_any_length_and_goes_back_after_a_while() {
        let mut regions = Regions::default();
        let runs: Vec<Run> = (0..64).map(|_| regions.take(HUGE / 4).unwrap()).collect();
        runs.into_iter().for_each(|run| regions.put(run));
        assert_eq!((regions.used(), regions.idle()), (0, 16 * HUGE));
        let long = regions.take(16 * HUGE).unwrap();
        assert_eq!(
            (long.at, regions.idle()),
            (0, 0),
            "none of another length is kept beside it"
        );
        regions.put(long);
        regions.tidy(2 * HUGE);
        assert_eq!(regions.idle(), 16 * HUGE, "it may be wanted again soon");
        let again = regions.take(PAGE).unwrap();
        regions.tidy(2 * HUGE);
        assert_eq!(regions.idle(), 2 * HUGE);
        regions.put(again);
        assert!(regions.take(Regions::LONGEST + PAGE).is_none());
    }
}
