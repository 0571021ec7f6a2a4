//! Memory for buffers, in regions of its own beside the heap: whole huge pages, of which a buffer is a run of small ones.
//! Decides where a run lies, and which huge pages go back to the kernel; never what is in them.
//!
//! A heap in huge pages keeps two megabytes for a few bytes; buffers in small ones cost a tenth of the CPU of a request.
//! So each has pages of its own kind (decision 0015). A run lies at the lowest place that has room for it: what is in use
//! stays dense, and what is free can serve any length. Of a huge page of which little is in use for long, the rest goes back.
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
/// A huge page of which no more than this is in use for long keeps no more than that.
const LITTLE: usize = HUGE / 8;
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

    /// Says whether a page is to be a huge one: the kernel makes one of small ones by itself, most of them bare.
    fn huge(&self, page: usize, advice: Advice) {
        assert!(page < REGION / HUGE, "a page of the region");
        // SAFETY: within the mapping; what is in it stays as it is.
        let _ = unsafe {
            let at = self.base.add(page * HUGE);
            madvise(at.as_ptr().cast(), HUGE, advice)
        };
    }

    /// Gives pages back; they are zero when they are touched again. The kernel would take the whole of a page that ends in
    /// one of its own: where its pages are longer than ours, what lies whole in them goes.
    fn forget(&self, at: usize, len: usize) {
        assert!(
            at.is_multiple_of(PAGE) && len.is_multiple_of(PAGE),
            "whole pages"
        );
        assert!(at <= REGION && len <= REGION - at, "pages of the region");
        let Some((at, len)) = whole(at, len, rustix::param::page_size()) else {
            return;
        };
        // SAFETY: within the mapping, and no run overlaps it: the caller found it free.
        let _ = unsafe {
            let at = self.base.add(at).as_ptr().cast();
            if !len.is_multiple_of(HUGE) {
                // A part of a huge page goes back when the kernel splits it: for cold memory at once, else when it is short.
                let _ = madvise(at, len, Advice::LinuxCold);
            }
            madvise(at, len, Advice::LinuxDontNeed)
        };
    }
}

/// What of these bytes lies in whole pages of so many bytes.
fn whole(at: usize, len: usize, page: usize) -> Option<(usize, usize)> {
    let (from, to) = (at.next_multiple_of(page), (at + len) / page * page);
    (from < to).then(|| (from, to - from))
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
    /// Free, or little of it in use, when somebody last looked; nothing of it was taken or given back since.
    Idle,
    /// Little of it is in use, and no memory stands behind the rest.
    Thin,
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

    /// Gives back the huge pages in which nothing lay since it was last called, and what is free of those in which little lay and
    /// nothing came or went, but for the first `keep` bytes; and regions in which nothing is left.
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
        self.touched(at, len);
        Some(Run {
            of: self.mapping.clone(),
            at,
            len,
        })
    }

    fn touched(&mut self, at: usize, len: usize) {
        let touched = at / HUGE..(at + len).div_ceil(HUGE);
        for number in touched {
            let Some(page) = self.pages.get_mut(number) else {
                continue;
            };
            if std::mem::replace(page, Page::Warm) == Page::Thin {
                self.mapping.huge(number, Advice::LinuxHugepage);
            }
        }
    }

    fn put(&mut self, run: Run) {
        self.touched(run.at, run.len);
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
            match page {
                Page::Warm => *page = Page::Idle,
                Page::Idle if *keep > 0 => *keep -= 1,
                _ => {
                    self.mapping.forget(at * HUGE, HUGE);
                    *page = Page::Bare;
                }
            }
        }
        self.thin(keep);
    }

    /// What is free in huge pages that are partly in use, by page: where it begins, and how long it is.
    fn gaps(&self) -> BTreeMap<usize, Vec<(usize, usize)>> {
        let mut gaps: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, room) in &self.free {
            let (mut at, end) = (*at, at + room);
            while at < end {
                let page = at / HUGE;
                let upto = end.min((page + 1) * HUGE);
                if upto - at < HUGE {
                    gaps.entry(page).or_default().push((at, upto - at));
                }
                at = upto;
            }
        }
        gaps
    }

    /// Gives back what is free of huge pages in which little lay since it was last called, but for the first `keep` of them.
    fn thin(&mut self, keep: &mut usize) {
        for (page, gaps) in self.gaps() {
            let free: usize = gaps.iter().map(|(_, len)| len).sum();
            let state = self.pages.get_mut(page);
            let Some(state) = state.filter(|_| HUGE - free <= LITTLE) else {
                continue;
            };
            match state {
                Page::Warm => *state = Page::Idle,
                Page::Idle if *keep > 0 => *keep -= 1,
                Page::Idle => {
                    *state = Page::Thin;
                    self.mapping.huge(page, Advice::LinuxNoHugepage);
                    for (at, len) in gaps {
                        if proof::mutant("thin-page-given-back-whole") {
                            self.mapping.forget(page * HUGE, HUGE);
                        }
                        self.mapping.forget(at, len);
                    }
                }
                Page::Thin | Page::Bare => {}
            }
        }
    }

    fn is_bare(&self) -> bool {
        self.free.get(&0) == Some(&REGION) && self.pages.iter().all(|page| *page == Page::Bare)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

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
    fn nothing_goes_back_with_a_page_of_the_kernels_that_is_in_use_7() {
        let kib = 1024;
        assert_eq!(whole(4 * kib, 8 * kib, 4 * kib), Some((4 * kib, 8 * kib)));
        assert_eq!(whole(4 * kib, 8 * kib, 16 * kib), None);
        assert_eq!(
            whole(4 * kib, 30 * kib, 16 * kib),
            Some((16 * kib, 16 * kib))
        );
        assert_eq!(
            whole(16 * kib, 16 * kib, 16 * kib),
            Some((16 * kib, 16 * kib))
        );
        assert_eq!(whole(HUGE, HUGE, 64 * kib), Some((HUGE, HUGE)));
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

    /// Bytes of memory that stand behind a region, as the kernel tells.
    fn resident(region: &Region) -> usize {
        let (first, pages) = (region.mapping.base.addr().get() / PAGE, REGION / PAGE);
        let mut entries = vec![0; pages * 8];
        let map = std::fs::File::open("/proc/self/pagemap").unwrap();
        map.read_exact_at(&mut entries, first as u64 * 8).unwrap();
        // The highest bit of eight bytes in the order of the machine: it is there.
        let there = |entry: &&[u8; 8]| u64::from_ne_bytes(**entry) >> 63 == 1;
        entries.as_chunks().0.iter().filter(there).count() * PAGE
    }

    fn short_runs_stay_and_the_rest_of_their_pages_goes() {
        const SHORT: usize = 64 << 10;
        let mut regions = Regions::default();
        let runs: Vec<Run> = (0..REGION / SHORT)
            .map(|number| {
                let mut run = regions.take(SHORT).unwrap();
                run.fill(number as u8);
                run
            })
            .collect();
        let all = |regions: &Regions| regions.all.iter().map(resident).sum::<usize>();
        assert_eq!((regions.all.len(), all(&regions)), (1, REGION));
        let mut stay = Vec::new();
        for (number, run) in runs.into_iter().enumerate() {
            match number % 32 {
                5 => stay.push((number, run)),
                _ => regions.put(run),
            }
        }
        regions.tidy(0);
        assert_eq!(all(&regions), REGION, "it may be wanted again soon");
        regions.tidy(0);
        assert_eq!(all(&regions), stay.len() * SHORT);
        for (number, run) in &stay {
            assert!(run.iter().all(|byte| *byte == *number as u8), "#7");
        }
        regions.tidy(REGION);
        assert_eq!(all(&regions), stay.len() * SHORT);
        // What is taken and given back in such a page goes back again, and the page with its last run.
        let mut again = regions.take(SHORT).unwrap();
        again.fill(1);
        regions.put(again);
        regions.tidy(0);
        regions.tidy(0);
        assert_eq!(all(&regions), stay.len() * SHORT);
        for (_, run) in stay {
            regions.put(run);
        }
        regions.tidy(0);
        regions.tidy(0);
        assert_eq!(regions.all.len(), 0);
    }

    #[test]
    fn one_short_run_does_not_keep_a_huge_page_for_long() {
        short_runs_stay_and_the_rest_of_their_pages_goes();
    }

    #[test]
    #[cfg(feature = "mutants")]
    fn a_short_run_that_goes_with_its_page_is_caught_7() {
        proof::choose(Some("thin-page-given-back-whole"));
        let outcome = std::panic::catch_unwind(short_runs_stay_and_the_rest_of_their_pages_goes);
        let fired = proof::fired();
        proof::choose(None);
        assert!(fired > 0 && outcome.is_err(), "a test that cannot fail");
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
