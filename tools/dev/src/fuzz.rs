//! `cargo dev fuzz`: hostile bytes against every decoder, by plain tests with a count of inputs.
//! Decides only the build and the count; the targets lie beside the decoders they attack.

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
