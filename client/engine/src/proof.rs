//! Known bugs that a test of this crate can switch on by name, to show that it would notice them. Exists only under the feature
//! `mutants`; in a product build it compiles to nothing. Decides nothing.

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

    pub(crate) fn mutant(name: &str) -> bool {
        let on = CHOSEN.get() == Some(name);
        FIRED.set(FIRED.get() + u64::from(on));
        on
    }

    /// Demands that a check passes as it is and fails with this bug, which had its way at least once.
    #[cfg(test)]
    pub(crate) fn caught(bug: &'static str, check: fn()) {
        check();
        CHOSEN.set(Some(bug));
        FIRED.set(0);
        let outcome = std::panic::catch_unwind(check);
        CHOSEN.set(None);
        assert!(FIRED.get() > 0, "{bug} never had its way");
        assert!(outcome.is_err(), "{bug} was not caught");
    }
}

#[cfg(all(test, feature = "mutants"))]
pub(crate) use switched::caught;
#[cfg(feature = "mutants")]
pub(crate) use switched::mutant;
