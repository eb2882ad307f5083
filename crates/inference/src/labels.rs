//! Maps the classes of a model to sentiments and emotions, and its outputs to scores.

use std::collections::BTreeMap;

use sentistream_core::domain::{Emotion, Sentiment};

use super::calibration::{Calibration, temper_independent, temper_shares};
use super::error::LoadError;
use super::spec::HeadSpec;

/// The scores of one head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeadScores {
    /// The scores sum to 1 and are in the order of [`Sentiment::ALL`].
    Sentiment([f32; 3]),
    /// The scores are independent and in the order of [`Emotion::ALL`].
    Emotion([f32; 7]),
}

/// Converts the outputs of a head to scores.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadMap {
    target: Target,
    independent: bool,
    /// For a head without a neutral class: a neutral class is added, whose output is the mean of the other outputs plus
    /// this number.
    neutral_gain: Option<f32>,
    /// The temperature of the calibration.
    temperature: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    /// The sentiment of each output.
    Sentiment(Vec<Sentiment>),
    Emotion(Vec<Emotion>),
}

/// Settings for models whose classes are not named like the labels of SentiStream.
#[derive(Clone, Copy, Debug)]
pub struct Labelling<'a> {
    /// The label of each class, by the name of the class.
    pub labels: &'a BTreeMap<String, String>,
    /// The setting [`super::InferenceOptions::neutral_margin`].
    pub neutral_margin: f32,
}

impl HeadMap {
    /// Determines whether a head classifies sentiment or emotion, from the names of its classes.
    ///
    /// # Errors
    /// When a class is unknown, or a sentiment head has no class for positive or for negative.
    pub fn new(head: &HeadSpec, labelling: Labelling<'_>) -> Result<Self, LoadError> {
        let names: Vec<String> = head
            .classes
            .iter()
            .map(|class| labelling.labels.get(class).unwrap_or(class).trim().to_lowercase())
            .collect();
        let sentiments: Option<Vec<Sentiment>> = names.iter().map(|name| sentiment(name)).collect();
        // "neutral" is both a sentiment and an emotion. A head is a sentiment head only if all its classes are
        // sentiments.
        if let Some(classes) = sentiments {
            let has = |wanted| classes.contains(&wanted);
            if !has(Sentiment::Positive) || !has(Sentiment::Negative) {
                return Err(LoadError::Setting(
                    "a sentiment model must have the classes positive and negative; map its classes in inference.labels"
                        .to_owned(),
                ));
            }
            let margin = labelling.neutral_margin.clamp(0.0, 0.999);
            let gain = 0.5 * ((1.0 + margin) / (1.0 - margin)).ln();
            let neutral_gain = (!has(Sentiment::Neutral)).then_some(gain);
            return Ok(Self {
                target: Target::Sentiment(classes),
                independent: head.independent,
                neutral_gain,
                temperature: None,
            });
        }
        let emotions = names
            .iter()
            .zip(&head.classes)
            .map(|(name, class)| emotion(name).ok_or_else(|| LoadError::Setting(unknown(class))))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            target: Target::Emotion(emotions),
            independent: head.independent,
            neutral_gain: None,
            temperature: None,
        })
    }

    /// Sets the temperature of the calibration for this head.
    pub fn calibrated(self, calibration: &Calibration) -> Self {
        let fit = if self.is_emotion() { &calibration.emotion } else { &calibration.sentiment };
        Self { temperature: fit.as_ref().map(|fit| fit.temperature).filter(|temperature| *temperature != 1.0), ..self }
    }

    /// The label of each output.
    pub fn meanings(&self) -> Vec<&'static str> {
        match &self.target {
            Target::Sentiment(classes) => classes.iter().map(|class| class.as_str()).collect(),
            Target::Emotion(classes) => classes.iter().map(|class| class.as_str()).collect(),
        }
    }

    /// Whether the head classifies emotion (otherwise sentiment).
    pub fn is_emotion(&self) -> bool {
        matches!(self.target, Target::Emotion(_))
    }

    /// Whether one of the classes is neutral.
    pub fn has_neutral(&self) -> bool {
        self.meanings().contains(&"neutral")
    }

    /// Warnings about missing classes and a narrow domain of training texts. `name` and `classes` are those of the
    /// model.
    pub fn warnings(&self, name: &str, classes: &[String]) -> Vec<String> {
        let two_classes = (!self.has_neutral()).then(|| {
            "the model has no neutral class: facts, questions and news become positive or negative, unless the scores \
             of both classes differ by less than inference.neutral_margin; for posts prefer a model with three classes"
                .to_owned()
        });
        let domain = domain(name, classes).map(|domain| {
            format!(
                "the model was trained on {domain} only: measure it with `sentistream eval` before using it for posts"
            )
        });
        two_classes.into_iter().chain(domain).collect()
    }

    /// The scores for the outputs of one text.
    pub fn scores(&self, logits: &[f32]) -> HeadScores {
        match &self.target {
            Target::Sentiment(classes) => HeadScores::Sentiment(self.sentiment_scores(classes, logits)),
            Target::Emotion(classes) => {
                let mut logits = logits.to_vec();
                let mut scores = [0.0f32; 7];
                if self.independent {
                    logits.iter_mut().for_each(|logit| *logit = sigmoid(*logit));
                } else {
                    softmax(&mut logits);
                }
                for (class, score) in classes.iter().zip(logits) {
                    let total = &mut scores[class.index()];
                    // Several classes may map to one label. Their probabilities are added if all probabilities sum to
                    // 1. If the probabilities are independent, the largest is used.
                    *total = if self.independent { total.max(score) } else { *total + score };
                }
                if let Some(temperature) = self.temperature {
                    temper_independent(&mut scores, temperature);
                }
                HeadScores::Emotion(scores)
            }
        }
    }

    /// The index of the label with the largest score, in [`Sentiment::ALL`] or [`Emotion::ALL`].
    pub fn top(&self, logits: &[f32]) -> usize {
        let largest = |scores: &[f32]| (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let top = match self.scores(logits) {
            HeadScores::Sentiment(scores) => largest(&scores),
            HeadScores::Emotion(scores) => largest(&scores),
        };
        top.unwrap_or_default()
    }

    fn sentiment_scores(&self, classes: &[Sentiment], logits: &[f32]) -> [f32; 3] {
        let mut shares = logits.to_vec();
        let neutral = self.neutral_gain.map(|gain| shares.iter().sum::<f32>() / shares.len() as f32 + gain);
        shares.extend(neutral);
        softmax(&mut shares);
        let mut scores = [0.0f32; 3];
        for (class, share) in classes.iter().chain(&[Sentiment::Neutral]).zip(shares) {
            scores[class.index()] += share;
        }
        if let Some(temperature) = self.temperature {
            temper_shares(&mut scores, temperature);
        }
        scores
    }
}

fn unknown(class: &str) -> String {
    format!(
        "config.json: the class `{class}` is not recognised; map it in inference.labels to one of \
         positive, neutral, negative, or anger, disgust, fear, joy, neutral, sadness, surprise"
    )
}

/// Parts of the names of models, with the texts on which such models were trained.
const DOMAINS: [(&str, &str); 9] = [
    ("sst2", "sentences of film reviews"),
    ("sst-2", "sentences of film reviews"),
    ("imdb", "film reviews"),
    ("rotten", "film reviews"),
    ("yelp", "reviews of businesses"),
    ("amazon", "product reviews"),
    ("finbert", "financial news"),
    ("financial", "financial news"),
    ("review", "reviews"),
];

/// The only domain of a model's training texts, if it is known from the name or the classes.
fn domain(name: &str, classes: &[String]) -> Option<&'static str> {
    let name = name.to_lowercase();
    let named = DOMAINS.iter().find(|(part, _)| name.contains(part)).map(|(_, domain)| *domain);
    named.or_else(|| classes.iter().any(|class| class.to_lowercase().contains("star")).then_some("reviews with stars"))
}

/// The sentiment of a class name in lower case.
fn sentiment(name: &str) -> Option<Sentiment> {
    match name {
        "negative" | "neg" | "very negative" | "1 star" | "2 stars" => Some(Sentiment::Negative),
        "neutral" | "neu" | "mixed" | "3 stars" => Some(Sentiment::Neutral),
        "positive" | "pos" | "very positive" | "4 stars" | "5 stars" => Some(Sentiment::Positive),
        _ => None,
    }
}

/// The emotion of a class name in lower case. The emotions of finer sets (GoEmotions) are grouped as their authors
/// propose.
fn emotion(name: &str) -> Option<Emotion> {
    Some(match name {
        "anger" | "angry" | "annoyance" | "disapproval" => Emotion::Anger,
        "disgust" | "contempt" => Emotion::Disgust,
        "fear" | "scared" | "nervousness" | "worry" => Emotion::Fear,
        "joy" | "happy" | "happiness" | "love" | "optimism" | "admiration" | "amusement" | "approval" | "caring"
        | "desire" | "excitement" | "gratitude" | "pride" | "relief" | "trust" => Emotion::Joy,
        "neutral" | "no emotion" | "others" => Emotion::Neutral,
        "sadness" | "sad" | "disappointment" | "embarrassment" | "grief" | "remorse" | "pessimism" => Emotion::Sadness,
        "surprise" | "confusion" | "curiosity" | "realization" | "anticipation" => Emotion::Surprise,
        _ => return None,
    })
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = (*value - max).exp();
        sum += *value;
    }
    values.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(classes: &[&str], independent: bool, labels: &[(&str, &str)]) -> Result<HeadMap, LoadError> {
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        let labels = labels.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect();
        let head = HeadSpec { prefix: String::new(), classes, independent };
        HeadMap::new(&head, Labelling { labels: &labels, neutral_margin: 0.3 })
    }

    fn sentiment_of(map: &HeadMap, logits: &[f32]) -> [f32; 3] {
        match map.scores(logits) {
            HeadScores::Sentiment(scores) => scores,
            HeadScores::Emotion(_) => panic!("an emotion head"),
        }
    }

    #[test]
    fn model_with_two_classes_returns_neutral_within_the_margin() {
        let map = map(&["NEGATIVE", "POSITIVE"], false, &[]).unwrap();
        // A margin of 0.3 means probabilities of 0.65 and 0.35, for which the outputs differ by 0.619.
        for (difference, wanted) in [(0.0, 1), (0.61, 1), (0.63, 2), (-0.61, 1), (-0.63, 0), (9.0, 2)] {
            let scores = sentiment_of(&map, &[0.0, difference]);
            let top = (0..3).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            assert_eq!(top, wanted, "difference {difference}: {scores:?}");
            assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{scores:?}");
        }
    }

    #[test]
    fn missing_neutral_class_and_narrow_domain_cause_warnings() {
        let warnings = |name: &str, classes: &[&str]| {
            let owned: Vec<String> = classes.iter().map(|&class| class.to_owned()).collect();
            map(classes, false, &[]).unwrap().warnings(name, &owned)
        };
        let both = warnings("distilbert-base-uncased-finetuned-sst-2-english", &["NEGATIVE", "POSITIVE"]);
        assert!(
            both.len() == 2 && both[0].contains("no neutral class") && both[1].contains("film reviews"),
            "{both:?}"
        );
        let stars = warnings("m", &["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]);
        assert!(stars.len() == 1 && stars[0].contains("stars"), "{stars:?}");
        assert_eq!(warnings("twitter-xlm-roberta-base-sentiment", &["negative", "neutral", "positive"]), [""; 0]);
    }

    #[test]
    fn unnamed_classes_need_a_mapping() {
        let error = map(&["LABEL_0", "LABEL_1", "LABEL_2"], false, &[]).unwrap_err().to_string();
        assert!(error.contains("LABEL_0") && error.contains("inference.labels"), "{error}");
        let named = [("LABEL_0", "positive"), ("LABEL_1", "neutral"), ("LABEL_2", "negative")];
        let map = map(&["LABEL_0", "LABEL_1", "LABEL_2"], false, &named).unwrap();
        assert!(sentiment_of(&map, &[5.0, 0.0, 0.0])[Sentiment::Positive.index()] > 0.9);
    }

    #[test]
    fn fine_grained_emotions_are_grouped() {
        let shares = map(&["sadness", "joy", "love", "anger", "fear", "surprise"], false, &[]).unwrap();
        let HeadScores::Emotion(scores) = shares.scores(&[0.0; 6]) else { panic!("a sentiment head") };
        assert!((scores[Emotion::Joy.index()] - 2.0 / 6.0).abs() < 1e-6, "{scores:?}");
        let emotion = map(&["admiration", "grief", "joy"], true, &[]).unwrap();
        let HeadScores::Emotion(scores) = emotion.scores(&[0.0, -9.0, 2.0]) else { panic!("a sentiment head") };
        assert!((scores[Emotion::Joy.index()] - sigmoid(2.0)).abs() < 1e-6, "{scores:?}");
    }
}
