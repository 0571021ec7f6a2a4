//! `cargo dev fuzz`: mutated bytes against every decoder, optimised but with every assertion on.
//! Decides only the build; targets, bounds and what counts as a find lie in `client/wire/fuzz`.

use anyhow::Result;

use crate::run::{Rest, cargo, to_end};

pub(crate) fn run(rest: &Rest) -> Result<()> {
    to_end(
        cargo([
            "run",
            "--quiet",
            "--profile",
            "sim",
            "--package",
            "sawlog-wire",
            "--example",
            "fuzz",
            "--",
        ])
        .args(&rest.words),
    )
}
