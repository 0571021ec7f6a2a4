//! One input against one target. Decides what counts as a find: a panic, more than two seconds, or
//! memory beyond the target's bound (#128, #130).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::counting;
use crate::targets::{Ran, Target};

/// An input may take this long, in a build without optimisation on a busy machine too.
const SLOW: Duration = Duration::from_secs(2);

/// Runs one input and says what is wrong with how it went.
pub(crate) fn attack(target: &Target, input: &[u8]) -> Result<(Ran, usize), String> {
    let begun = Instant::now();
    let run = || catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (ran, peak) = counting::peak_of(run);
    let ran = ran.map_err(|_| "a panic".to_owned())?;
    if begun.elapsed() > SLOW {
        return Err(format!("took {:?}", begun.elapsed()));
    }
    let held = peak.saturating_sub(ran.pooled);
    if held > target.bound.of(input.len()) {
        return Err(format!(
            "held {held} bytes beside {} of its pool for {} bytes of input, {:?}",
            ran.pooled,
            input.len(),
            target.bound
        ));
    }
    Ok((ran, held))
}
