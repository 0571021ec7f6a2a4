//! SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash behind ring ids, so that nobody without the ring's secret
//! can shape bytes that pass for a commit (#104). Decides nothing else.

/// The hash of `bytes` under `key`.
pub(super) fn sip(key: &[u8; 16], bytes: &[u8]) -> u64 {
    let (low, high) = halves(key);
    let mut v = [
        low ^ 0x736f_6d65_7073_6575,
        high ^ 0x646f_7261_6e64_6f6d,
        low ^ 0x6c79_6765_6e65_7261,
        high ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        absorb(&mut v, u64::from_le_bytes(*word));
    }
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    absorb(
        &mut v,
        u64::from_le_bytes(last) | ((bytes.len() as u64) << 56),
    );
    let [_, _, third, _] = &mut v;
    *third ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v.iter().fold(0, |sum, word| sum ^ word)
}

fn halves(key: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*key);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of 128 bits"
    )]
    (both as u64, (both >> 64) as u64)
}

fn absorb(v: &mut [u64; 4], word: u64) {
    let [_, _, _, fourth] = v;
    *fourth ^= word;
    round(v);
    round(v);
    let [first, ..] = v;
    *first ^= word;
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::sip;

    #[test]
    fn it_is_the_published_function() {
        let key: [u8; 16] = core::array::from_fn(|i| i as u8);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(
            sip(&key, &input),
            0xa129_ca61_49be_45e5,
            "the example of the paper's appendix A"
        );
        assert_eq!(
            sip(&key, &[]),
            0x726f_db47_dd0e_0e31,
            "the first reference vector"
        );
    }
}
