//! Runs the simulator and the crash enumerator from the command line.
//! Decides nothing: which seeds, which mutant, how much is shown.
fn main() {}
