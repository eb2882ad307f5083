//! The models of an engine: one model for both tasks, or one model for each task.

use std::sync::Arc;

use sentistream_core::domain::op::preview;
use sentistream_core::domain::post::MAX_CONTENT_CHARS;
use sentistream_core::domain::{Analysis, Emotion, Scores};

use super::error::ClassifyError;
use super::model::{Model, ModelScores, ModelTrace};
use super::models;
use super::network::{Input, Scratch};
use super::options::MissingEmotions;
use super::tokens::Tokens;
use super::windows::pooled;
use super::{InferenceError, InferenceOptions, LayerDepth, ModelInfo, ModelSource};

/// Classifies texts on the calling thread. All threads of an engine share one implementation.
pub trait BatchClassifier: Send + Sync {
    /// Tokenises a text for the models.
    ///
    /// # Errors
    /// When a tokenizer cannot read the text.
    fn encode(&self, text: &str) -> Result<Encoded, ClassifyError>;

    /// Classifies texts. Returns one analysis per text, in the same order.
    ///
    /// # Errors
    /// When a network fails. In this case no analysis is returned.
    fn classify(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<Analysis>, ClassifyError>;
}

/// A tokenised text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Encoded {
    /// The tokens for the main model.
    pub main: Tokens,
    /// The tokens for the emotion model, if there is one.
    pub emotion: Option<Tokens>,
    /// Which layers to compute.
    pub depth: LayerDepth,
}

impl Encoded {
    /// The number of tokens to compute.
    pub fn cost(&self) -> usize {
        self.main.cost() + self.emotion.as_ref().map_or(0, Tokens::cost)
    }
}

/// The models in use.
pub struct Panel {
    main: Model,
    emotion: Option<Model>,
    name: Arc<str>,
    max_windows: usize,
    emotion_threshold: f32,
}

/// The maximum number of tokens in one pass. Long texts are computed in several passes to limit memory.
const MAX_COMPUTED_TOKENS: usize = 4_096;

impl Panel {
    /// Loads the models that `options` name.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when a model cannot be loaded; [`InferenceError::Setting`] when it lacks the required
    /// head, or a setting does not fit it.
    pub fn load(options: &InferenceOptions) -> Result<Self, InferenceError> {
        let main = Model::load(&options.model, options)?;
        if !main.has_sentiment() {
            let reason = "the classes of the model are not sentiments (positive, negative); use a sentiment model";
            return Err(InferenceError::Setting { model: options.model.to_string(), reason: reason.to_owned() });
        }
        let emotion_source = match &options.emotion_model {
            Some(source) if *source == options.model => None,
            Some(source) => Some(source.clone()),
            None if main.has_emotion() || options.missing_emotions == MissingEmotions::Neutral => None,
            None => Some(ModelSource::Builtin),
        };
        let emotion = match emotion_source {
            Some(source) => Some(emotion_model(&source, options)?),
            None => None,
        };
        check_labels(options, (&main, emotion.as_ref()))?;
        let name = match &emotion {
            Some(emotion) => format!("{}+{}", main.name, emotion.name),
            None => main.name.clone(),
        };
        Ok(Self {
            main,
            emotion,
            name: name.into(),
            max_windows: options.max_windows.max(1),
            emotion_threshold: options.emotion_threshold,
        })
    }

    /// Whether a model computes on a GPU.
    pub fn on_graphics_card(&self) -> bool {
        std::iter::once(&self.main).chain(&self.emotion).any(Model::on_graphics_card)
    }

    /// Information about the models. The engine adds the loading time.
    pub fn info(&self) -> ModelInfo {
        let models = || std::iter::once(&self.main).chain(&self.emotion);
        let joined = |of: fn(&Model) -> String| {
            let mut words: Vec<String> = models().map(of).collect();
            words.dedup();
            words.join("+")
        };
        ModelInfo {
            name: self.name.to_string(),
            architecture: joined(|model| model.spec.architecture.clone()),
            precision: joined(|model| model.precision().to_string()),
            max_tokens: models().map(|model| model.spec.max_tokens()).min().unwrap_or_default(),
            layers: models().map(|model| model.spec.shape.n_layers as u32).max().unwrap_or_default(),
            exits: self.main.exit_layers(),
            parameters: models().map(|model| model.parameters).sum(),
            int8_agreement: models().filter_map(|model| model.int8_agreement).reduce(f64::min),
            languages: self.main.spec.languages.clone(),
            warnings: self.main.warnings(),
            load_ms: 0,
        }
    }
}

fn emotion_model(source: &ModelSource, options: &InferenceOptions) -> Result<Model, InferenceError> {
    let model = Model::load(source, options)?;
    if model.has_emotion() {
        return Ok(model);
    }
    let reason = "the classes of the model are not emotions (anger, joy, …); use an emotion model".to_owned();
    Err(InferenceError::Setting { model: source.to_string(), reason })
}

/// Checks that each configured label names a class of a model. A misspelt name would have no effect otherwise.
fn check_labels(options: &InferenceOptions, (main, emotion): (&Model, Option<&Model>)) -> Result<(), InferenceError> {
    let specs: Vec<_> = std::iter::once(main).chain(emotion).map(|model| &model.spec).collect();
    let own = if options.emotion_model.is_some() { &specs[specs.len() - 1..] } else { &[] };
    let unknown = |model: &Model, key: &str, (label, classes): (&str, String)| InferenceError::Setting {
        model: model.name.clone(),
        reason: format!(
            "{key} names the class `{label}`, which the model does not have; use one of its classes: {classes}"
        ),
    };
    if let Some(found) = models::unknown_labels(&options.labels, &specs) {
        return Err(unknown(main, "inference.labels", found));
    }
    match models::unknown_labels(&options.emotion_labels, own) {
        Some(found) => Err(unknown(emotion.unwrap_or(main), "inference.emotion_labels", found)),
        None => Ok(()),
    }
}

impl BatchClassifier for Panel {
    fn encode(&self, text: &str) -> Result<Encoded, ClassifyError> {
        // Texts are truncated to the maximum length of a post, because tokenising needs many times the memory of a
        // text.
        let read = preview(text, MAX_CONTENT_CHARS);
        let emotion = self.emotion.as_ref().map(|model| model.encode(read, self.max_windows)).transpose()?;
        let mut main = self.main.encode(read, self.max_windows)?;
        main.truncated |= read.len() < text.len();
        Ok(Encoded { main, emotion, depth: LayerDepth::Adaptive })
    }

    fn classify(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<Analysis>, ClassifyError> {
        let main: Vec<Asked<'_>> = texts.iter().map(|text| Asked { tokens: &text.main, depth: text.depth }).collect();
        let mut all = classify_windows(&self.main, &main, scratch)?;
        if let Some(model) = &self.emotion {
            let tokens = texts.iter().filter_map(|text| Some((text.emotion.as_ref()?, text.depth)));
            let other: Vec<Asked<'_>> = tokens.map(|(tokens, depth)| Asked { tokens, depth }).collect();
            for (scores, other) in all.iter_mut().zip(classify_windows(model, &other, scratch)?) {
                scores.emotion = other.emotion;
                scores.layers = scores.layers.max(other.layers);
            }
        }
        Ok(texts.iter().zip(all).map(|(text, scores)| self.analysis(text, scores)).collect())
    }
}

/// A text to compute with one model.
struct Asked<'a> {
    tokens: &'a Tokens,
    depth: LayerDepth,
}

/// Computes the scores of each text. If a text has several windows, their scores are pooled.
fn classify_windows(
    model: &Model,
    texts: &[Asked<'_>],
    scratch: &mut Scratch,
) -> Result<Vec<ModelScores>, ClassifyError> {
    let mut windows = Vec::with_capacity(texts.len());
    for asked in texts {
        let may_exit = asked.depth == LayerDepth::Adaptive;
        windows.extend(asked.tokens.windows.iter().map(|ids| Input { ids, may_exit }));
    }
    let mut all = Vec::with_capacity(windows.len());
    let mut rest = windows.as_slice();
    while !rest.is_empty() {
        let mut tokens = 0;
        let fit = rest.iter().take_while(|window| {
            tokens += window.ids.len();
            tokens <= MAX_COMPUTED_TOKENS
        });
        let (now, later) = rest.split_at(fit.count().max(1));
        all.extend(model.classify(now, scratch)?);
        rest = later;
    }
    if all.len() == texts.len() {
        return Ok(all);
    }
    let mut all = all.as_slice();
    let mut pooled = Vec::with_capacity(texts.len());
    for asked in texts {
        let (own, others) = all.split_at(asked.tokens.windows.len());
        all = others;
        pooled.push(together(own, &asked.tokens.windows));
    }
    Ok(pooled)
}

fn together(all: &[ModelScores], windows: &[Vec<u32>]) -> ModelScores {
    if let [alone] = all {
        return *alone;
    }
    let weights: Vec<usize> = windows.iter().map(Vec::len).collect();
    let sentiment: Option<Vec<_>> = all.iter().map(|scores| scores.sentiment).collect();
    let emotion: Option<Vec<_>> = all.iter().map(|scores| scores.emotion).collect();
    ModelScores {
        sentiment: sentiment.map(|scores| pooled(&scores, &weights)),
        emotion: emotion.map(|scores| pooled(&scores, &weights)),
        layers: all.iter().map(|scores| scores.layers).max().unwrap_or_default(),
    }
}

impl Panel {
    /// Computes the scores of texts at each exit and after all layers. Only the first window of each text is used.
    ///
    /// # Errors
    /// When the model has no exits, or the network fails.
    pub fn trace(&self, texts: &[&Encoded], scratch: &mut Scratch) -> Result<Vec<ModelTrace>, ClassifyError> {
        let inputs = texts.iter().map(|text| Input { ids: &text.main.windows[0], may_exit: true });
        self.main.trace(&inputs.collect::<Vec<_>>(), scratch)
    }

    /// Creates the analysis of a text from its scores.
    pub fn analysis(&self, text: &Encoded, scores: ModelScores) -> Analysis {
        let layers = Some(scores.layers);
        let is_emotion_known = scores.emotion.is_some_and(|emotion| self.is_sure(&emotion));
        let scores = Scores {
            sentiment: scores.sentiment.unwrap_or([0.0, 1.0, 0.0]),
            emotion: scores.emotion.unwrap_or([0.0; 7]),
        };
        let truncated = text.main.truncated || text.emotion.as_ref().is_some_and(|tokens| tokens.truncated);
        let analysis = Analysis::from_scores(Arc::clone(&self.name), scores, text.main.read as u32, truncated);
        let emotion = if is_emotion_known { analysis.emotion } else { Emotion::Neutral };
        Analysis { layers, emotion, ..analysis }
    }

    /// Whether any score is high enough for an emotion. A model without a neutral class must reach the threshold,
    /// because one of its emotions always has the largest score.
    fn is_sure(&self, emotion: &[f32; 7]) -> bool {
        let model = self.emotion.as_ref().unwrap_or(&self.main);
        !model.lacks_neutral_emotion() || emotion.iter().any(|score| *score >= self.emotion_threshold)
    }
}
