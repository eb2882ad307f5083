//! The probability that random variation explains a count. The tails of the distributions are computed exactly, so the
//! results are valid for any number of posts.

use std::f64::consts::TAU;

/// A sum ends at the first term whose ratio to the sum is below this number.
const NEGLIGIBLE: f64 = 1e-17;

/// The probability of at least `hits` hits among `posts` posts if each is a hit with the probability `share`: the upper
/// tail of the binomial distribution.
pub fn binomial_tail(hits: i64, posts: i64, share: f64) -> f64 {
    if hits <= 0 {
        return 1.0;
    }
    if hits > posts {
        return 0.0;
    }
    let (k, n) = (hits as f64, posts as f64);
    if k <= n * share {
        // The sum over the opposite tail has fewer terms.
        return 1.0 - binomial_tail(posts - hits + 1, posts, 1.0 - share);
    }
    let first = (ln_choose(posts, hits) + k * share.ln() + (n - k) * (1.0 - share).ln()).exp();
    let odds = share / (1.0 - share);
    tail(first, hits..posts, |k| (n - k) / (k + 1.0) * odds)
}

/// A number of posts, and how many of them belong to a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of posts that belong to the class, at most `posts`.
    pub hits: i64,
    /// The number of all posts.
    pub posts: i64,
}

impl Part {
    /// The share of the posts that belong to the class. There must be at least one post.
    pub fn share(self) -> f64 {
        self.hits as f64 / self.posts as f64
    }

    /// The complement: the posts that do not belong to the class count as hits.
    pub fn complement(self) -> Self {
        Self { hits: self.posts - self.hits, posts: self.posts }
    }
}

/// The probability that a random sample of `all`, of the same size as `sample`, has at least as many hits as `sample`:
/// the upper tail of the hypergeometric distribution, and the one-sided p-value of Fisher's exact test of two
/// proportions.
pub fn hypergeometric_tail(sample: Part, all: Part) -> f64 {
    let Part { hits, posts } = sample;
    if hits <= (posts + all.hits - all.posts).max(0) {
        return 1.0;
    }
    let most = posts.min(all.hits);
    if hits > most {
        return 0.0;
    }
    let misses = all.posts - all.hits;
    if hits as f64 * all.posts as f64 <= posts as f64 * all.hits as f64 {
        return 1.0 - hypergeometric_tail(Part { hits: posts - hits + 1, posts }, all.complement());
    }
    let first = (ln_choose(all.hits, hits) + ln_choose(misses, posts - hits) - ln_choose(all.posts, posts)).exp();
    let [n, successes, failures] = [posts, all.hits, misses].map(|count| count as f64);
    tail(first, hits..most, |k| (successes - k) * (n - k) / ((k + 1.0) * (failures - n + k + 1.0)))
}

/// The sum of decreasing terms, each of which is `ratio` times the previous one.
fn tail(first: f64, hits: std::ops::Range<i64>, ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut term, mut sum) = (first, first);
    for k in hits {
        term *= ratio(k as f64);
        sum += term;
        if term <= sum * NEGLIGIBLE {
            break;
        }
    }
    sum.min(1.0)
}

/// The logarithm of the number of ways to choose `k` of `n`.
fn ln_choose(n: i64, k: i64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// The logarithm of `n` factorial. For `n` of 16 or more, Stirling's series is used; its first omitted term is below
/// 2e-14.
fn ln_factorial(n: i64) -> f64 {
    if n < 16 {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let x = n as f64;
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1_260.0 - inverse / 1_680.0))) / x;
    x * x.ln() - x + 0.5 * (TAU * x).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(hits: i64, posts: i64) -> Part {
        Part { hits, posts }
    }

    fn close(value: f64, expected: f64) -> bool {
        (value / expected - 1.0).abs() < 1e-6
    }

    #[test]
    fn tail_probabilities_equal_published_values() {
        // Nine or more heads in ten tosses, and two or more heads.
        assert!(close(binomial_tail(9, 10, 0.5), 11.0 / 1_024.0));
        assert!(close(binomial_tail(2, 10, 0.5), 1_013.0 / 1_024.0));
        assert!(close(binomial_tail(60, 100, 0.5), 0.028_443_966_82));
        assert_eq!([binomial_tail(0, 5, 0.3), binomial_tail(6, 5, 0.3)], [1.0, 0.0]);
        assert_eq!([binomial_tail(1, 5, 0.0), binomial_tail(5, 5, 1.0)], [0.0, 1.0]);
        // Fisher's tea-tasting experiment: the probability that at least three of the four chosen cups are correct.
        assert!(close(hypergeometric_tail(part(3, 4), part(4, 8)), 17.0 / 70.0));
        assert!(close(hypergeometric_tail(part(4, 4), part(4, 8)), 1.0 / 70.0));
        assert!(close(hypergeometric_tail(part(1, 4), part(4, 8)), 69.0 / 70.0));
        assert_eq!(
            [hypergeometric_tail(part(0, 4), part(4, 8)), hypergeometric_tail(part(5, 4), part(4, 8))],
            [1.0, 0.0]
        );
    }

    #[test]
    fn tails_of_many_posts_approach_the_normal_distribution() {
        // Agresti, Categorical Data Analysis: heart attacks of 189 of 11,034 people with a placebo, and of 104 of
        // 11,037 people with aspirin. The z-score is 5.00.
        let exact = hypergeometric_tail(part(189, 11_034), part(293, 22_071));
        assert!((2.8e-7..4e-7).contains(&exact), "{exact}");
        let half = binomial_tail(5_050_000, 10_000_000, 0.505);
        assert!((half - 0.5).abs() < 1e-3, "{half}");
    }
}
