//! A sample of posts: stripes of consecutive ids that are spread over all ids. The range of ids is divided into
//! sections of equal length, each of which contains one stripe.

use std::ops::Range;

/// The number of stripes. Each of them has [`WIDTH`] ids.
const STRIPES: usize = 50;
const WIDTH: i64 = 100;
/// The number of standard errors that is subtracted from the estimate. The result exceeds the true number with a
/// probability below 10⁻⁹.
const ERRORS: f64 = 8.0;

/// Stripes that are spread over a range of ids.
#[derive(Clone, Copy, Debug)]
pub struct Stripes {
    first: i64,
    /// The length of a section, in ids.
    step: i64,
}

impl Stripes {
    /// The numbers of the stripes that are read first: every fifth stripe in the order of ids.
    pub const PROBE: Range<usize> = 0..10;
    /// The numbers of the other stripes.
    pub const REST: Range<usize> = 10..STRIPES;

    /// Stripes over the ids from `first` to `last`. `None`: there are so few ids that reading all posts costs about as
    /// much as reading a sample.
    pub fn over(first: i64, last: i64, limit: i64) -> Option<Self> {
        let step = (last - first + 1) / STRIPES as i64;
        (step >= 2 * WIDTH && last - first > 2 * limit).then_some(Self { first, step })
    }

    /// The ids of the stripes with the numbers `part`.
    pub fn ids(self, part: Range<usize>) -> Vec<i64> {
        part.flat_map(|number| {
            let start = self.first + place(number) * self.step + self.offset(number);
            start..start + WIDTH
        })
        .collect()
    }

    /// The number of the stripe whose section contains `id`; [`STRIPES`] if no section contains it.
    pub fn number(self, id: i64) -> usize {
        let at = (id - self.first) / self.step;
        (0..STRIPES).find(|number| place(*number) == at).unwrap_or(STRIPES)
    }

    /// The distance of a stripe from the start of its section. It differs between stripes, so that the sample does not
    /// follow a periodic pattern in the posts.
    fn offset(self, number: usize) -> i64 {
        const GOLDEN: f64 = 0.618_033_988_749_895;
        (((number as f64 + 1.0) * GOLDEN).fract() * (self.step - WIDTH) as f64) as i64
    }

    /// The estimated number of matching posts, when the first `stripes` stripes contain `hits` matches.
    fn estimate(self, hits: f64, stripes: usize) -> f64 {
        hits * self.step as f64 * STRIPES as f64 / (stripes as f64 * WIDTH as f64)
    }

    /// Whether the first stripes contain so many matches that all stripes together may show more than `limit` posts.
    pub fn may_exceed(self, hits: &[i64], limit: i64) -> bool {
        self.estimate(hits.iter().sum::<i64>() as f64, hits.len()) > 2.0 * limit as f64
    }

    /// A lower bound of the number of matching posts, computed from the matches in each stripe. The standard error is
    /// computed from the differences between stripes, because posts with the same words often occur in clusters.
    pub fn least(self, hits: &[i64]) -> f64 {
        let number = hits.len() as f64;
        let mean = hits.iter().sum::<i64>() as f64 / number;
        let variance = hits.iter().map(|hits| (*hits as f64 - mean).powi(2)).sum::<f64>() / (number - 1.0).max(1.0);
        self.estimate(number * mean - ERRORS * (number * variance).sqrt(), hits.len())
    }
}

/// The position of a stripe in the order of ids.
fn place(number: usize) -> i64 {
    let place = if number < 10 { number * 5 } else { (number - 10) / 4 * 5 + (number - 10) % 4 + 1 };
    i64::try_from(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_disjoint_and_within_the_ids() {
        let stripes = Stripes::over(7, 1_000_006, 10_000).unwrap();
        let mut ids = [stripes.ids(Stripes::PROBE), stripes.ids(Stripes::REST)].concat();
        for number in 0..STRIPES {
            assert!(stripes.ids(number..number + 1).into_iter().all(|id| stripes.number(id) == number));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), STRIPES * 100);
        assert!(ids[0] >= 7 && ids[ids.len() - 1] <= 1_000_006);
        assert!(Stripes::over(1, 9_000, 10_000).is_none(), "few posts");
    }

    #[test]
    fn only_evenly_spread_matches_exceed_the_limit() {
        let stripes = Stripes::over(1, 1_000_000, 10_000).unwrap();
        assert!(stripes.least(&[100; STRIPES]) > 999_000.0);
        let five_percent: Vec<i64> = (0..STRIPES as i64).map(|number| 3 + number % 5).collect();
        assert!(stripes.least(&five_percent) > 10_000.0);
        let mut burst = [0; STRIPES];
        burst[3] = 100;
        assert!(stripes.least(&burst) <= 0.0, "one burst proves nothing");
        assert!(!stripes.may_exceed(&[0; 10], 10_000) && stripes.may_exceed(&[5; 10], 10_000));
    }
}
