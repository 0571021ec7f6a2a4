//! How one input becomes another. Decides the mutations, from a seed alone, so that the same seed
//! and number give the same input again; knows nothing of what it mutates.

use sawlog_wire::random::Dice;

/// Inputs longer than this are cut.
const LONGEST: usize = 32 << 10;

/// A new input from `base`, and here and there a piece of `other`.
pub(crate) fn mutate(dice: &mut Dice, base: &[u8], other: &[u8]) -> Vec<u8> {
    let mut input = base.to_vec();
    for _ in 0..=dice.below(4) {
        step(dice, &mut input, other);
    }
    input.truncate(LONGEST);
    input
}

fn step(dice: &mut Dice, input: &mut Vec<u8>, other: &[u8]) {
    let length = input.len();
    let at = place(dice, length);
    match dice.below(13) {
        0 => flip(dice, input, at),
        1 => write(input, at, &[interesting(dice) as u8]),
        2 => write(input, at, &(interesting(dice) as i16).to_be_bytes()),
        3 | 4 => write(input, at, &(interesting(dice) as i32).to_be_bytes()),
        5 => write(input, at, &interesting(dice).to_be_bytes()),
        // Lengths that are nearly right.
        6 => write(
            input,
            at,
            &((length - at) as i32 + dice.below(9) as i32 - 4).to_be_bytes(),
        ),
        7 => write(input, at, &varint(interesting(dice) as u64)),
        8 => input.truncate(at),
        9 => {
            let end = at + place(dice, length - at);
            input.drain(at..end);
        }
        10 => {
            let end = at + place(dice, (length - at).min(256));
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        11 if dice.one_in(8) => long_list(dice, input, at),
        _ => {
            let from = place(dice, other.len());
            let end = from + place(dice, (other.len() - from).min(512));
            let keep = if dice.one_in(2) {
                at
            } else {
                (at + end - from).min(length)
            };
            input.splice(at..keep, other[from..end].iter().copied());
        }
    }
}

/// A count in one of its forms, and bytes for about as many elements, the smaller the more of them:
/// what asks for the most memory by the fewest bytes.
fn long_list(dice: &mut Dice, input: &mut Vec<u8>, at: usize) {
    let count = dice.below(8_000) as u32;
    let mut list = match dice.below(3) {
        0 => (count as i32).to_be_bytes().to_vec(),
        1 => varint(u64::from(count) + 1),
        _ => varint(u64::from(count) << 1),
    };
    let element = 1 + dice.below(8) as u32;
    list.resize(list.len() + (count * element) as usize, dice.below(3) as u8);
    input.splice(at..at, list);
}

/// A place in `0..=length`, near the front more often: headers and counts stand there.
fn place(dice: &mut Dice, length: usize) -> usize {
    let near = if dice.one_in(2) {
        length.min(80)
    } else {
        length
    };
    dice.below(near as u64 + 1) as usize
}

fn flip(dice: &mut Dice, input: &mut [u8], at: usize) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

fn write(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in input.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

fn interesting(dice: &mut Dice) -> i64 {
    const EDGES: [i64; 18] = [
        0,
        1,
        -1,
        -2,
        2,
        7,
        63,
        64,
        127,
        128,
        255,
        256,
        0x7fff,
        0x8000,
        i32::MAX as i64,
        i32::MIN as i64,
        i64::MAX,
        i64::MIN,
    ];
    match dice.below(3) {
        0 => dice.next() as i64,
        1 => 1 << dice.below(63),
        _ => EDGES[dice.below(EDGES.len() as u64) as usize],
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
