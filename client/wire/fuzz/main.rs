//! `cargo dev fuzz`: mutated inputs against every decoder, on the stable toolchain and from a seed.
//! Decides what counts as a find: a panic, an input that takes over a second, memory beyond the
//! target's bound (#128, #130). Inputs of a kind not seen before become bases of further ones.
//!
//! ```text
//! cargo dev fuzz [--inputs N] [--seed N] [--only PART-OF-A-NAME] [--keep FOLDER] [--replay FILE]
//! ```

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool of developing that fails by panicking"
)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sawlog_wire::random::Dice;

mod attack;
mod counting;
mod memory;
mod mutate;
mod targets;

use attack::attack;
use targets::{Target, forget, targets};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Bases besides the seeds.
const BASES: usize = 4_000;
/// Inputs larger than this are not kept in a corpus.
const KEEP: usize = 512;
/// Inputs of a target that are kept in a corpus.
const KEEP_INPUTS: usize = 16;

struct Args {
    inputs: u64,
    seed: u64,
    only: String,
    keep: Option<PathBuf>,
    replay: Option<PathBuf>,
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        inputs: 1_000_000,
        seed: 1,
        only: String::new(),
        keep: None,
        replay: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--inputs" => args.inputs = value()?.parse().map_err(|e| format!("{word}: {e}"))?,
            "--seed" => args.seed = value()?.parse().map_err(|e| format!("{word}: {e}"))?,
            "--only" => args.only = value()?,
            "--keep" => args.keep = Some(value()?.into()),
            "--replay" => args.replay = Some(value()?.into()),
            _ => return Err(format!("unknown word {word}")),
        }
    }
    Ok(args)
}

fn main() {
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            println!("fuzz: {why}; known are --inputs --seed --only --keep --replay");
            std::process::exit(2);
        }
    };
    let chosen: Vec<Target> = targets()
        .into_iter()
        .filter(|t| t.name.contains(&args.only))
        .collect();
    if let Some(file) = &args.replay {
        let input = fs::read(file).expect("the file to replay");
        for target in &chosen {
            println!("{}: {:?}", target.name, attack(target, &input));
        }
        return;
    }
    assert!(
        !chosen.is_empty(),
        "no target's name has {:?} in it",
        args.only
    );
    let mut finds = 0;
    for target in &chosen {
        finds += fuzz(target, &args);
    }
    println!(
        "{} targets, {} inputs each, seed {}, {finds} finds",
        chosen.len(),
        args.inputs,
        args.seed
    );
    std::process::exit(i32::from(finds > 0));
}

/// Runs one target; the number of finds, of which each is written to a file.
fn fuzz(target: &Target, args: &Args) -> u64 {
    let begun = Instant::now();
    let mut dice = Dice::new(args.seed);
    let mut bases = target.seeds.clone();
    let mut kinds = HashSet::new();
    let mut worst = (0, 0, 0);
    let mut kept = 0;
    for number in 0..args.inputs {
        let input = match bases.get(number as usize) {
            Some(seed) if number < target.seeds.len() as u64 => seed.clone(),
            _ => {
                let base = &bases[dice.below(bases.len() as u64) as usize];
                let other = &bases[dice.below(bases.len() as u64) as usize];
                mutate::mutate(&mut dice, base, other)
            }
        };
        if number % 64 == 0 {
            forget();
        }
        match attack(target, &input) {
            Err(why) => {
                let file =
                    std::env::temp_dir().join(format!("sawlog-fuzz-{}-{number}", target.name));
                fs::write(&file, &input).expect("the find can be written");
                println!(
                    "{}: input {number} of seed {}: {why}\n  kept in {}",
                    target.name,
                    args.seed,
                    file.display()
                );
                return 1;
            }
            Ok((ran, held)) => {
                if held * worst.1.max(1) > worst.0 * input.len().max(1) && held > (64 << 10) {
                    worst = (held, input.len(), number);
                }
                if kinds.insert(ran.kind) && bases.len() < target.seeds.len() + BASES {
                    if let Some(folder) = &args.keep
                        && input.len() <= KEEP
                        && kept < KEEP_INPUTS
                        && number >= target.seeds.len() as u64
                    {
                        keep(folder, &target.name, &input);
                        kept += 1;
                    }
                    bases.push(input);
                }
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{}: c = {}, {} inputs in {took:.1} s, {} kinds, most memory above 64 KiB: {} for {} bytes of input",
        target.name,
        target.bound.per_byte,
        args.inputs,
        kinds.len(),
        worst.0,
        worst.1
    );
    0
}

/// Adds an input to the corpus of its target: a line of hexadecimal digits.
fn keep(folder: &Path, target: &str, input: &[u8]) {
    fs::create_dir_all(folder).expect("the folder of the corpus");
    let file = folder.join(target).with_extension("hex");
    let mut corpus = fs::read_to_string(&file).unwrap_or_default();
    corpus.extend(input.iter().map(|byte| format!("{byte:02x}")));
    corpus.push('\n');
    fs::write(file, corpus).expect("the corpus");
}
