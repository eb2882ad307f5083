//! The statistical uncertainty of sentiment quality: bootstrap intervals, groups, and the paired comparison of two
//! models.
//!
//! Texts are drawn with replacement (Efron's bootstrap, percentile intervals). The seed is fixed, so that equal results
//! give equal reports.

use std::collections::BTreeMap;

use serde::Serialize;

use sentistream_core::domain::Sentiment;
use sentistream_core::domain::language::code;

use super::Prediction;

/// The number of bootstrap resamples.
const RESAMPLES: usize = 1_000;
/// The minimum number of texts of a group. The intervals of smaller groups would be too wide to be useful.
const MIN_GROUP: usize = 20;
/// The groups by length: the maximum number of characters, and the name.
const LENGTHS: [(usize, &str); 4] = [(40, "1-40"), (80, "41-80"), (160, "81-160"), (usize::MAX, "161+")];

/// A value and its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value over all texts.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// The quality of sentiment over some texts, with intervals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// The number of labelled texts.
    pub posts: usize,
    /// The share of texts with the correct label.
    pub accuracy: Estimate,
    /// The mean of the F1 scores of those sentiments that are the correct label of at least one text.
    pub macro_f1: Estimate,
}

/// The quality over all texts, and over groups of at least twenty texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Intervals {
    /// The quality over all texts.
    pub all: Quality,
    /// The quality by language: the `lang` of the record, or the detected language; `unknown` without either.
    pub by_language: BTreeMap<String, Quality>,
    /// The quality by length in characters.
    pub by_length: BTreeMap<&'static str, Quality>,
}

/// The results of two models on the same texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The name of the model.
    pub model: String,
    /// The name of the other model.
    pub other: String,
    /// The number of labelled texts.
    pub posts: usize,
    /// The number of texts that only `model` classifies correctly.
    pub only_model: usize,
    /// The number of texts that only `other` classifies correctly.
    pub only_other: usize,
    /// The accuracy of `other` minus that of `model`.
    pub accuracy: Estimate,
    /// The macro F1 of `other` minus that of `model`.
    pub macro_f1: Estimate,
    /// The two-sided p-value of McNemar's exact test: the probability of a difference in accuracy at least as large if
    /// both models are equally good.
    pub p_value: f64,
}

/// The index of the correct label, and the index of the predicted label.
pub(super) type Pair = (usize, usize);

/// The quality of sentiment with its intervals; `None` without labelled texts. `detect` returns the language of a
/// text whose record names no language.
pub fn intervals(predictions: &[Prediction<'_>], detect: &dyn Fn(&str) -> Option<&'static str>) -> Option<Intervals> {
    let mut all: Vec<Pair> = Vec::new();
    let mut languages: BTreeMap<String, Vec<Pair>> = BTreeMap::new();
    let mut lengths: BTreeMap<&'static str, Vec<Pair>> = BTreeMap::new();
    for Prediction { record, analysis } in predictions {
        let Some(label) = record.sentiment else { continue };
        let pair = (label.index(), analysis.sentiment.index());
        all.push(pair);
        let lang = record.lang.as_deref().or_else(|| detect(&record.text)).and_then(code);
        languages.entry(lang.unwrap_or_else(|| "unknown".to_owned())).or_default().push(pair);
        let characters = record.text.chars().count();
        if let Some((_, name)) = LENGTHS.iter().find(|(limit, _)| characters <= *limit) {
            lengths.entry(name).or_default().push(pair);
        }
    }
    if all.is_empty() {
        return None;
    }
    languages.retain(|_, pairs| pairs.len() >= MIN_GROUP);
    lengths.retain(|_, pairs| pairs.len() >= MIN_GROUP);
    Some(Intervals {
        all: quality_of(&all),
        by_language: languages.iter().map(|(lang, pairs)| (lang.clone(), quality_of(pairs))).collect(),
        by_length: lengths.iter().map(|(name, pairs)| (*name, quality_of(pairs))).collect(),
    })
}

/// The predictions of a model.
#[derive(Clone, Copy, Debug)]
pub struct ModelPredictions<'a> {
    /// The name of the model.
    pub model: &'a str,
    /// The predictions of the model.
    pub predictions: &'a [Prediction<'a>],
}

/// Compares the predictions of two models; `None` without labelled texts. Both lists have the same records.
pub fn compare(one: ModelPredictions<'_>, other: ModelPredictions<'_>) -> Option<Comparison> {
    let pairs: Vec<(Pair, Pair)> = one
        .predictions
        .iter()
        .zip(other.predictions)
        .filter_map(|(one, other)| {
            let label = one.record.sentiment?.index();
            Some(((label, one.analysis.sentiment.index()), (label, other.analysis.sentiment.index())))
        })
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let right = |(label, predicted): Pair| label == predicted;
    let only_model = pairs.iter().filter(|(one, other)| right(*one) && !right(*other)).count();
    let only_other = pairs.iter().filter(|(one, other)| !right(*one) && right(*other)).count();
    let difference = |of: fn(&Confusion) -> f64| {
        estimate(&pairs, |sample| {
            let (mut one, mut two) = (Confusion::default(), Confusion::default());
            for (first, second) in sample {
                one.add(*first);
                two.add(*second);
            }
            of(&two) - of(&one)
        })
    };
    Some(Comparison {
        model: one.model.to_owned(),
        other: other.model.to_owned(),
        posts: pairs.len(),
        only_model,
        only_other,
        accuracy: difference(Confusion::accuracy),
        macro_f1: difference(Confusion::macro_f1),
        p_value: mcnemar(only_model, only_other),
    })
}

/// The quality of predictions, with intervals.
pub(super) fn quality_of(pairs: &[Pair]) -> Quality {
    let of = |measure: fn(&Confusion) -> f64| {
        estimate(pairs, |sample| {
            let mut confusion = Confusion::default();
            sample.for_each(|pair| confusion.add(*pair));
            measure(&confusion)
        })
    };
    Quality { posts: pairs.len(), accuracy: of(Confusion::accuracy), macro_f1: of(Confusion::macro_f1) }
}

/// The value of `measure` over `items`, with its bootstrap interval.
fn estimate<T>(items: &[T], measure: impl Fn(&mut dyn Iterator<Item = &T>) -> f64) -> Estimate {
    let mut random = SplitMix(0x5eed);
    let mut values: Vec<f64> =
        (0..RESAMPLES).map(|_| measure(&mut (0..items.len()).map(|_| &items[random.below(items.len())]))).collect();
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((RESAMPLES - 1) as f64 * share).round() as usize];
    Estimate { value: measure(&mut items.iter()), low: at(0.025), high: at(0.975) }
}

/// The number of texts by correct label and prediction.
#[derive(Default)]
struct Confusion([[usize; 3]; 3]);

impl Confusion {
    fn add(&mut self, (label, predicted): Pair) {
        self.0[label][predicted] += 1;
    }

    fn accuracy(&self) -> f64 {
        let all: usize = self.0.iter().flatten().sum();
        let right: usize = (0..3).map(|class| self.0[class][class]).sum();
        right as f64 / all.max(1) as f64
    }

    /// The mean F1 of the classes that occur in the texts.
    fn macro_f1(&self) -> f64 {
        let (mut sum, mut classes) = (0.0, 0);
        for class in Sentiment::ALL.map(Sentiment::index) {
            let labelled: usize = self.0[class].iter().sum();
            let predicted: usize = self.0.iter().map(|row| row[class]).sum();
            if labelled > 0 {
                sum += 2.0 * self.0[class][class] as f64 / (labelled + predicted) as f64;
                classes += 1;
            }
        }
        if classes == 0 { 0.0 } else { sum / f64::from(classes) }
    }
}

/// The two-sided p-value of McNemar's exact test. If both models are equally good, each text on which only one of them
/// is correct is a fair coin flip.
fn mcnemar(one: usize, other: usize) -> f64 {
    let (flips, less) = (one + other, one.min(other));
    // Binomial coefficients of large counts would overflow, so their logarithm is computed.
    let mut log_choose = 0.0_f64;
    let mut tail = 0.0;
    for hits in 0..=less {
        if hits > 0 {
            log_choose += ((flips - hits + 1) as f64 / hits as f64).log2();
        }
        tail += (log_choose - flips as f64).exp2();
    }
    (2.0 * tail).min(1.0)
}

/// The random number generator of Steele, Lea and Flood (2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Labelled, read_labelled};
    use super::*;
    use sentistream_core::domain::{Analysis, Scores};

    fn analysis(sentiment: usize) -> Analysis {
        let mut scores = Scores::default();
        scores.sentiment[sentiment] = 0.8;
        Analysis::from_scores("m".into(), scores, 3, false)
    }

    /// `count` records of one label. The first `right` of them are classified correctly.
    struct Sample {
        records: Vec<Labelled>,
        analyses: Vec<Analysis>,
    }

    impl Sample {
        fn new(lang: &str, count: usize, right: usize) -> Self {
            let line = format!(r#"{{"text": "x", "lang": "{lang}", "sentiment": "positive"}}"#);
            let record = read_labelled(line.as_bytes()).unwrap().remove(0);
            Self { records: vec![record; count], analyses: analyses(count, right) }
        }

        fn predictions(&self) -> Vec<Prediction<'_>> {
            Prediction::all(&self.records, &self.analyses)
        }
    }

    fn analyses(count: usize, right: usize) -> Vec<Analysis> {
        (0..count).map(|index| analysis(if index < right { 2 } else { 0 })).collect()
    }

    #[test]
    fn intervals_contain_value_and_shrink_with_more_texts() {
        let (few, many) = (Sample::new("en", 40, 30), Sample::new("en", 4_000, 3_000));
        let of = |sample: &Sample| intervals(&sample.predictions(), &|_| None).unwrap().all.accuracy;
        let (few, many) = (of(&few), of(&many));
        assert_eq!((few.value, many.value), (0.75, 0.75));
        // The normal approximation of the intervals is ±0.134 and ±0.0134.
        assert!((few.high - few.low - 0.268).abs() < 0.05, "{few:?}");
        assert!((many.high - many.low - 0.0268).abs() < 0.005, "{many:?}");
    }

    #[test]
    fn groups_use_given_languages_and_need_enough_texts() {
        let (german, french) = (Sample::new("de-AT", 30, 10), Sample::new("fr", 5, 5));
        let mut all = german.predictions();
        all.extend(french.predictions());
        let intervals = intervals(&all, &|_| None).unwrap();
        assert_eq!(intervals.by_language.keys().collect::<Vec<_>>(), ["de"]);
        assert_eq!(intervals.by_length.keys().collect::<Vec<_>>(), [&"1-40"]);
        assert_eq!(super::intervals(&[], &|_| None), None);
    }

    #[test]
    fn comparison_counts_and_tests_discordant_texts() {
        let sample = Sample::new("en", 100, 60);
        let better = analyses(100, 80);
        let of_better = Prediction::all(&sample.records, &better);
        let one = ModelPredictions { model: "a", predictions: &sample.predictions() };
        let found = compare(one, ModelPredictions { model: "b", predictions: &of_better }).unwrap();
        assert_eq!((found.only_model, found.only_other), (0, 20));
        assert!((found.accuracy.value - 0.2).abs() < 1e-9 && found.accuracy.low > 0.1, "{found:?}");
        // The p-value is the probability that twenty coin flips are all heads or all tails.
        assert!((found.p_value - 2.0 * 0.5_f64.powi(20)).abs() < 1e-12);
        assert_eq!(compare(one, one).unwrap().p_value, 1.0);
    }
}
