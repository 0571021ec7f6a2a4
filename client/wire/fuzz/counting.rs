//! An allocator that counts what the current thread holds, so that a test can say how much memory a
//! decoder took for how many bytes (#128). Decides nothing; never used outside tests.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The allocator of a test binary.
pub(crate) struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn moved(by: isize) {
    // `try_with`: a thread that ends frees memory after its counters are gone.
    let _ = HELD.try_with(|held| {
        let now = held.get() + by;
        held.set(now);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
    });
}

// The one place outside the disk that needs it: an allocator cannot be written without.
#[expect(
    unsafe_code,
    reason = "GlobalAlloc is an unsafe trait; every call goes on to the system's"
)]
// SAFETY: every method passes its arguments to `System` unchanged and gives back what it gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        moved(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        moved(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        moved(-(layout.size() as isize));
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held while a block moves.
        moved(size as isize);
        let moved_to = unsafe { System.realloc(place, layout, size) };
        moved(-(layout.size() as isize));
        moved_to
    }
}

/// The most bytes that this thread held at once during `run`, beyond what it held before.
pub(crate) fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let value = run();
    (value, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// The bytes that this thread holds less after `run` than before.
#[allow(dead_code, reason = "not every test that counts asks for it")]
pub(crate) fn freed_by(run: impl FnOnce()) -> usize {
    let before = HELD.get();
    run();
    usize::try_from(before - HELD.get()).unwrap_or(0)
}
