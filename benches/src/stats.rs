//! Decides what the pairs of a cell say: the median of their ratios, and how far it can be trusted.
//! Decides pass, unclear or fail by the interval; which bound a ratio has is the table's (`cells`).

use serde::{Deserialize, Serialize};

/// A ratio with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Median of the per-pair ratios.
    pub median: f64,
    /// 2.5 % of the resampled medians lie below.
    pub low: f64,
    /// 2.5 % of them lie above.
    pub high: f64,
    /// Pairs.
    pub pairs: usize,
}

/// What must hold of a ratio or a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Less is better.
    AtMost(f64),
    /// More is better.
    AtLeast(f64),
}

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The median is within the bound.
    Pass,
    /// The median is beyond, the interval is not wholly.
    Unclear,
    /// The whole interval lies beyond.
    Fail,
}

impl Bound {
    /// Judges a ratio by its interval.
    #[must_use]
    pub fn judge(self, ratio: &Ratio) -> Verdict {
        let (median, best) = match self {
            Self::AtMost(most) => (ratio.median <= most, ratio.low <= most),
            Self::AtLeast(least) => (ratio.median >= least, ratio.high >= least),
        };
        match (median, best) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::Unclear,
            (false, false) => Verdict::Fail,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::AtLeast(least) => write!(f, ">= {least}"),
        }
    }
}

const RESAMPLES: usize = 4000;

/// The median of `ratios` with a 95 % interval; `None` without any.
#[must_use]
pub fn ratio(ratios: &[f64]) -> Option<Ratio> {
    let median = median(&mut ratios.to_vec())?;
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let mut sample: Vec<f64> = (0..ratios.len())
                .filter_map(|_| ratios.get(random.below(ratios.len())).copied())
                .collect();
            self::median(&mut sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians.get((RESAMPLES as f64 * share) as usize).copied();
    Some(Ratio {
        median,
        low: at(0.025)?,
        high: at(0.975)?,
        pairs: ratios.len(),
    })
}

/// The middle one, or the mean of the two in the middle.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    let below = *values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(below, above))
}

/// The same numbers in every run, so that a report can be made again from its pairs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_equal_pairs_is_a_point() {
        assert_eq!(
            ratio(&[1.5; 5]),
            Some(Ratio {
                median: 1.5,
                low: 1.5,
                high: 1.5,
                pairs: 5
            })
        );
        assert_eq!(ratio(&[]), None);
    }

    #[test]
    fn one_wild_pair_moves_the_interval_and_not_the_median() {
        let found = ratio(&[1.0, 1.0, 1.1, 0.9, 9.0]).unwrap();
        assert_eq!(found.median, 1.0);
        assert!(found.high > 1.0 && found.low >= 0.9);
    }

    #[test]
    fn only_an_interval_wholly_beyond_the_bound_fails() {
        let found = Ratio {
            median: 1.2,
            low: 0.9,
            high: 1.4,
            pairs: 5,
        };
        assert_eq!(Bound::AtMost(1.2).judge(&found), Verdict::Pass);
        assert_eq!(Bound::AtMost(1.0).judge(&found), Verdict::Unclear);
        assert_eq!(Bound::AtMost(0.8).judge(&found), Verdict::Fail);
        assert_eq!(Bound::AtLeast(1.3).judge(&found), Verdict::Unclear);
        assert_eq!(Bound::AtLeast(1.5).judge(&found), Verdict::Fail);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}
