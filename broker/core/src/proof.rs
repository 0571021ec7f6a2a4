//! Known bugs that can be switched on by name, and names of dangerous places that tests must have reached.
//! Both exist only under the feature `mutants`; in a product build each compiles to nothing. Holds #144 with the simulator.

/// Whether the known bug of this name is switched on in this test build: `if proof::mutant("ack-at-next") { ... }`.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn mutant(_name: &str) -> bool {
    false
}

/// Notes that a dangerous place was reached: `proof::sometimes("torn-header")`.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn sometimes(_name: &'static str) {}

#[cfg(feature = "mutants")]
mod switched {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    std::thread_local! {
        static CHOSEN: Cell<Option<&'static str>> = const { Cell::new(None) };
        static FIRED: Cell<u64> = const { Cell::new(0) };
        static REACHED: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
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

    /// See the product build's version.
    pub fn mutant(name: &str) -> bool {
        let on = CHOSEN.get() == Some(name);
        if on {
            FIRED.set(FIRED.get() + 1);
        }
        on
    }

    /// See the product build's version.
    pub fn sometimes(name: &'static str) {
        REACHED.with_borrow_mut(|reached| *reached.entry(name).or_insert(0) += 1);
    }

    /// Demands that a check passes as it is and fails with this bug, which had its way at least once.
    #[cfg(test)]
    pub fn caught(bug: &'static str, check: fn()) {
        choose(None);
        check();
        choose(Some(bug));
        let outcome = std::panic::catch_unwind(check);
        let fired = fired();
        choose(None);
        assert!(fired > 0, "{bug} never had its way");
        assert!(outcome.is_err(), "{bug} was not caught");
    }

    /// The names reached on this thread since the last call, with how often.
    pub fn take_reached() -> BTreeMap<&'static str, u64> {
        REACHED.take()
    }
}

#[cfg(all(test, feature = "mutants"))]
pub use switched::caught;
#[cfg(feature = "mutants")]
pub use switched::{choose, fired, mutant, sometimes, take_reached};
