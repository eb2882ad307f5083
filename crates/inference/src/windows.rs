//! Splits texts that are longer than the input of a model into overlapping windows, and pools the scores of the
//! windows.
//!
//! The windows of a text have equal lengths and overlap by an eighth of the model's input, so that every word has
//! context in at least one window. The scores of a text are the mean of the scores of its windows, weighted by their
//! number of tokens. The part of a text after the last allowed window is ignored.

use std::ops::Range;

/// The model's input divided by the overlap of two windows.
const OVERLAP: usize = 8;

/// The ranges of the windows of a text with `tokens` tokens: at most `max` windows of at most `limit` tokens. Both
/// limits must be at least 1. The second value says whether the windows cover all tokens.
pub fn windows(tokens: usize, limit: usize, max: usize) -> (Vec<Range<usize>>, bool) {
    let (limit, max) = (limit.max(1), max.max(1));
    if tokens <= limit {
        return (std::iter::once(0..tokens).collect(), true);
    }
    let overlap = limit / OVERLAP;
    let step = limit - overlap;
    let readable = step * (max - 1) + limit;
    let read = tokens.min(readable);
    let count = (read - overlap).div_ceil(step);
    let length = (read + (count - 1) * overlap).div_ceil(count);
    let window = |index: usize| {
        let start = index * (length - overlap);
        start..(start + length).min(read)
    };
    ((0..count).map(window).collect(), tokens <= readable)
}

/// The mean of the scores of windows, weighted by `weights`.
pub fn pooled<const N: usize>(scores: &[[f32; N]], weights: &[usize]) -> [f32; N] {
    let total: usize = weights.iter().sum();
    let mut pooled = [0.0; N];
    for (scores, &weight) in scores.iter().zip(weights) {
        let share = weight as f32 / total.max(1) as f32;
        pooled.iter_mut().zip(scores).for_each(|(sum, score)| *sum += share * score);
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_one_window() {
        for (tokens, max, end, whole) in [(510, 8, 510, true), (0, 8, 0, true), (511, 1, 510, false)] {
            let (windows, all) = windows(tokens, 510, max);
            assert_eq!((windows.len(), windows[0].start, windows[0].end, all), (1, 0, end, whole), "{tokens}");
        }
        assert_eq!(windows(511, 510, 8).0.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn windows_cover_text_up_to_limit(tokens in 0_usize..9_000, limit in 1_usize..600, max in 1_usize..12) {
            let (windows, whole) = windows(tokens, limit, max);
            proptest::prop_assert!(windows.len() <= max);
            let mut end = 0;
            for (index, window) in windows.iter().enumerate() {
                proptest::prop_assert!(window.len() <= limit);
                proptest::prop_assert!(window.start <= end && (window.end > end || tokens == 0));
                if index > 0 {
                    proptest::prop_assert_eq!(end - window.start, limit / OVERLAP);
                }
                end = window.end;
            }
            proptest::prop_assert_eq!(end == tokens, whole);
            proptest::prop_assert!(whole || windows.len() == max && end >= limit);
        }

        #[test]
        fn pooled_scores_are_between_window_scores(a in 0.0_f32..1.0, b in 0.0_f32..1.0, n in 1_usize..500) {
            let [mean] = pooled(&[[a], [b]], &[500, n]);
            proptest::prop_assert!(mean >= a.min(b) - 1e-6 && mean <= a.max(b) + 1e-6);
        }
    }
}
