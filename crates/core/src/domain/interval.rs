//! Confidence intervals of counts and shares, at a level of 95 %.

use serde::Serialize;

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A confidence interval: it contains the true value with a confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Interval {
    /// The lower end, in the unit of the value.
    pub low: f64,
    /// The upper end, in the unit of the value.
    pub high: f64,
}

/// A number of posts, and the number of those that belong to a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    /// The number of posts that belong to the class, at most `posts`.
    pub hits: i64,
    /// The number of all posts.
    pub posts: i64,
}

impl Interval {
    /// Whether zero is outside the interval.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Both ends multiplied by `factor`, which must be positive, rounded to two decimal places.
    pub fn scaled(&self, factor: f64) -> Self {
        let rounded = |value: f64| (value * factor * 1e2).round() / 1e2;
        Self { low: rounded(self.low), high: rounded(self.high) }
    }
}

impl Proportion {
    fn share(self) -> f64 {
        self.hits as f64 / self.posts as f64
    }

    /// The interval of the share (Wilson, "Probable inference", Journal of the American Statistical Association 22,
    /// 1927). `None` if there are no posts.
    pub fn interval(self) -> Option<Interval> {
        if self.posts <= 0 {
            return None;
        }
        let (share, posts) = (self.share(), self.posts as f64);
        let middle = share + Z * Z / (2.0 * posts);
        let half = Z * (share * (1.0 - share) / posts + Z * Z / (4.0 * posts * posts)).sqrt();
        let scale = 1.0 + Z * Z / posts;
        Some(Interval { low: ((middle - half) / scale).max(0.0), high: ((middle + half) / scale).min(1.0) })
    }

    /// The interval of the difference between this share and that of `before` (Newcombe, "Interval estimation for the
    /// difference between independent proportions", Statistics in Medicine 17, 1998, method 10). `None` if one of them
    /// has no posts.
    pub fn difference(self, before: Self) -> Option<Interval> {
        let (now_interval, before_interval) = (self.interval()?, before.interval()?);
        let (now, then) = (self.share(), before.share());
        let low = ((now - now_interval.low).powi(2) + (before_interval.high - then).powi(2)).sqrt();
        let high = ((now_interval.high - now).powi(2) + (then - before_interval.low).powi(2)).sqrt();
        Some(Interval { low: now - then - low, high: now - then + high })
    }
}

/// The interval of the relative change from the count `before` to `now`, assuming that posts arrive independently of
/// each other. 0.5 is an increase by half. `None` if one of the counts is zero.
pub fn relative_change(now: i64, before: i64) -> Option<Interval> {
    if now <= 0 || before <= 0 {
        return None;
    }
    let ratio = now as f64 / before as f64;
    let error = Z * (1.0 / now as f64 + 1.0 / before as f64).sqrt();
    Some(Interval { low: ratio * (-error).exp() - 1.0, high: ratio * error.exp() - 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_intervals_equal_published_values() {
        // Newcombe 1998: 56 of 70 against 48 of 80, and 9 of 10 against 3 of 10.
        let of = |hits, posts| Proportion { hits, posts };
        let wide = of(56, 70).difference(of(48, 80)).unwrap();
        assert!((wide.low - 0.0524).abs() < 1e-4 && (wide.high - 0.3339).abs() < 1e-4, "{wide:?}");
        let few = of(9, 10).difference(of(3, 10)).unwrap();
        assert!((few.low - 0.1705).abs() < 1e-4 && (few.high - 0.8090).abs() < 1e-4, "{few:?}");
        let share = of(81, 263).interval().unwrap();
        assert!((share.low - 0.2553).abs() < 1e-4 && (share.high - 0.3662).abs() < 1e-4, "{share:?}");
        assert_eq!((of(0, 0).interval(), of(1, 2).difference(of(0, 0))), (None, None));
    }

    #[test]
    fn interval_of_a_change_of_few_posts_includes_zero() {
        assert!(!relative_change(12, 10).unwrap().excludes_zero());
        assert!(relative_change(1_200, 1_000).unwrap().excludes_zero());
        assert_eq!(relative_change(3, 0), None);
    }
}
