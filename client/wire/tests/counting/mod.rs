//! An allocator that counts, for tests that bound memory. Counts per thread, so tests may run
//! beside each other.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one only counts"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Bytes claimed and not given back, and the most there ever were.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn note(bytes: isize) {
    // The thread may be ending: then nobody counts.
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, held.get().1.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The most bytes that `run` held at once.
pub(crate) fn claimed(run: impl FnOnce()) -> usize {
    HELD.with(|held| held.set((0, 0)));
    run();
    HELD.with(|held| held.get().1 as usize)
}
