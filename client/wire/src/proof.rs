//! Known bugs that a test can switch on by name, to show that it would notice them. Exists only under
//! the feature `mutants`; in a product build it compiles to nothing. Decides nothing.

/// Whether the known bug of this name is switched on.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn mutant(_name: &str) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod switched {
    use std::cell::Cell;

    std::thread_local! {
        static CHOSEN: Cell<Option<&'static str>> = const { Cell::new(None) };
        static FIRED: Cell<u64> = const { Cell::new(0) };
    }

    /// Switches one known bug on for this thread, or none.
    pub fn choose(name: Option<&'static str>) {
        CHOSEN.set(name);
        FIRED.set(0);
    }

    /// How often the chosen bug had its way: a mutant that never fired proves nothing.
    pub fn fired() -> u64 {
        FIRED.get()
    }

    pub(crate) fn mutant(name: &str) -> bool {
        let on = CHOSEN.get() == Some(name);
        if on {
            FIRED.set(FIRED.get() + 1);
        }
        on
    }
}

#[cfg(feature = "mutants")]
pub(crate) use switched::mutant;
#[cfg(feature = "mutants")]
pub use switched::{choose, fired};
