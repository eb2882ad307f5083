//! One loaded model: its tokenizer, its network, and the labels of its outputs.

use super::calibration::Calibration;
use super::error::{ClassifyError, LoadError};
use super::fidelity::Candidate;
use super::labels::{HeadMap, HeadScores, Labelling};
use super::network::{Input, Network, Outputs, Scratch};
use super::source;
use super::spec::{ExitSpec, ModelSpec};
use super::tokens::{TextTokenizer, Tokens};
use super::vocabulary;
use super::weights::Weights;
use super::{ExitPolicy, InferenceError, InferenceOptions, ModelSource, Precision};

/// A loaded model.
pub struct Model {
    /// The name stored with each analysis.
    pub name: String,
    /// The structure of the model, from its config.
    pub spec: ModelSpec,
    /// The number of trained weights.
    pub parameters: u64,
    /// The value of [`super::ModelInfo::int8_agreement`].
    pub int8_agreement: Option<f64>,
    tokenizer: TextTokenizer,
    network: Network,
    heads: Vec<HeadMap>,
}

/// The scores of one text. The scores of a head that the model does not have are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelScores {
    /// The score of each sentiment, in the order of `Sentiment::ALL`.
    pub sentiment: Option<[f32; 3]>,
    /// The score of each emotion, in the order of `Emotion::ALL`.
    pub emotion: Option<[f32; 7]>,
    /// The number of layers that were computed.
    pub layers: u32,
}

/// The scores of one text after all layers and at each exit.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelTrace {
    /// The scores at each exit, in the order of the layers.
    pub exits: Vec<ExitScores>,
    /// The scores after all layers.
    pub last: ModelScores,
}

/// The scores of one text at an exit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExitScores {
    /// The estimated probability that the last layer selects the same labels.
    pub gate: f32,
    /// The scores at the exit.
    pub scores: ModelScores,
}

impl Model {
    /// Loads a model from its files.
    ///
    /// # Errors
    /// [`InferenceError::Load`] when the model cannot be loaded; [`InferenceError::Setting`] when it is not supported
    /// or a setting does not fit it.
    pub fn load(source: &ModelSource, options: &InferenceOptions) -> Result<Self, InferenceError> {
        Self::read(source, options).map_err(|e| e.of_model(source))
    }

    fn read(source: &ModelSource, options: &InferenceOptions) -> Result<Self, LoadError> {
        let files = source::find(source, &options.hub)?;
        let config = files.read("config.json").map_err(LoadError::into_setting)?;
        let mut spec = ModelSpec::parse(&config)?;
        configure_exits(&mut spec, options)?;
        let labels = options.labels_of(source);
        let labelling = Labelling { labels: &labels, neutral_margin: options.neutral_margin };
        let heads =
            spec.heads.iter().map(|head| HeadMap::new(head, labelling)).collect::<Result<Vec<_>, LoadError>>()?;
        let calibration = Calibration::of(&files, &options.calibration)?;
        let heads: Vec<HeadMap> = heads.into_iter().map(|head| head.calibrated(&calibration)).collect();
        let json = vocabulary::tokenizer(&files, spec.family)?;
        let tokenizer = TextTokenizer::parse(&json, spec.max_tokens(), spec.shape.vocab_size)?;
        let weights = Weights::read(&files)?;
        let compute = options.compute()?;
        let mut network = Network::load(&spec, &weights, compute)?;
        let mut int8_agreement = None;
        // The builtin model is not checked, because its quality with int8 has been measured (docs/inference.md).
        let is_unknown = *source != ModelSource::Builtin && compute.precision == Precision::Auto;
        if is_unknown && network.precision() == Precision::Int8 {
            let (heads, tokenizer, weights) = (&heads, &tokenizer, &weights);
            let candidate = Candidate { name: files.name(), spec: &spec, heads, tokenizer, weights, compute };
            let checked = candidate.check(network)?;
            (network, int8_agreement) = (checked.network, Some(checked.agreement));
        }
        weights.release();
        Ok(Self {
            int8_agreement,
            name: files.name().to_owned(),
            parameters: weights.count(),
            spec,
            tokenizer,
            network,
            heads,
        })
    }

    /// Whether the model classifies sentiment.
    pub fn has_sentiment(&self) -> bool {
        self.heads.iter().any(|head| !head.is_emotion())
    }

    /// Whether the model classifies emotion.
    pub fn has_emotion(&self) -> bool {
        self.heads.iter().any(HeadMap::is_emotion)
    }

    /// Whether the model classifies emotion, but has no neutral class.
    pub fn lacks_neutral_emotion(&self) -> bool {
        self.heads.iter().any(|head| head.is_emotion() && !head.has_neutral())
    }

    /// The value of [`super::ModelInfo::warnings`].
    pub fn warnings(&self) -> Vec<String> {
        let heads = self.heads.iter().zip(&self.spec.heads).filter(|(head, _)| !head.is_emotion());
        heads.flat_map(|(head, spec)| head.warnings(&self.name, &spec.classes)).collect()
    }

    /// The number format in use.
    pub fn precision(&self) -> Precision {
        self.network.precision()
    }

    /// Whether the model computes on a GPU.
    pub fn on_graphics_card(&self) -> bool {
        self.network.on_graphics_card()
    }

    /// Tokenises a text into at most `max_windows` windows.
    ///
    /// # Errors
    /// When the tokenizer cannot read the text.
    pub fn encode(&self, text: &str, max_windows: usize) -> Result<Tokens, ClassifyError> {
        self.tokenizer.encode(text, max_windows)
    }

    /// The layers that have an exit; empty if the model has no exits.
    pub fn exit_layers(&self) -> Vec<u32> {
        if !self.network.has_exits() {
            return Vec::new();
        }
        self.spec.exits.iter().map(|exit| exit.layer as u32).collect()
    }

    /// Computes the scores of texts. The result has the order of the texts.
    ///
    /// # Errors
    /// When the network fails or its outputs are not finite.
    pub fn classify(&self, texts: &[Input<'_>], scratch: &mut Scratch) -> Result<Vec<ModelScores>, ClassifyError> {
        let Outputs { logits, layers } = self.network.run(texts, scratch)?;
        let outputs = self.spec.outputs();
        check_finite(&logits)?;
        Ok(logits.chunks_exact(outputs).zip(layers).map(|(logits, layers)| self.scores(logits, layers)).collect())
    }

    /// Computes the scores of texts with all layers, and at each exit.
    ///
    /// # Errors
    /// When the model has no exits, or the network fails, or its outputs are not finite.
    pub fn trace(&self, texts: &[Input<'_>], scratch: &mut Scratch) -> Result<Vec<ModelTrace>, ClassifyError> {
        let (Outputs { logits, layers }, trace) = self.network.trace(texts, scratch)?;
        let outputs = self.spec.outputs();
        check_finite(&logits)?;
        check_finite(&trace)?;
        let exits = self.spec.exits.len();
        let traces = trace.chunks_exact(exits * (outputs + 1)).zip(logits.chunks_exact(outputs)).zip(layers);
        let of_exit = |(exit, values): (&ExitSpec, &[f32])| ExitScores {
            gate: 1.0 / (1.0 + (-values[outputs]).exp()),
            scores: self.scores(&values[..outputs], exit.layer as u32),
        };
        let one = |((trace, logits), layers): ((&[f32], &[f32]), u32)| ModelTrace {
            exits: self.spec.exits.iter().zip(trace.chunks_exact(outputs + 1)).map(of_exit).collect(),
            last: self.scores(logits, layers),
        };
        Ok(traces.map(one).collect())
    }

    fn scores(&self, logits: &[f32], layers: u32) -> ModelScores {
        let mut found = ModelScores { layers, ..ModelScores::default() };
        let mut rest = logits;
        for (head, spec) in self.heads.iter().zip(&self.spec.heads) {
            let (own, others) = rest.split_at(spec.classes.len());
            rest = others;
            match head.scores(own) {
                HeadScores::Sentiment(scores) => found.sentiment = Some(scores),
                HeadScores::Emotion(scores) => found.emotion = Some(scores),
            }
        }
        found
    }
}

fn check_finite(values: &[f32]) -> Result<(), ClassifyError> {
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(ClassifyError::NotFinite) }
}

/// Applies the settings of `options` to the exits of a model.
///
/// # Errors
/// When the settings contain a threshold for a layer without an exit.
fn configure_exits(spec: &mut ModelSpec, options: &InferenceOptions) -> Result<(), LoadError> {
    if options.exits == ExitPolicy::Off {
        spec.exits.clear();
    }
    if spec.exits.is_empty() {
        return Ok(());
    }
    for (&layer, &threshold) in &options.exit_thresholds {
        let Some(exit) = spec.exits.iter_mut().find(|exit| exit.layer == layer) else {
            let layers: Vec<String> = spec.exits.iter().map(|exit| exit.layer.to_string()).collect();
            return Err(LoadError::Setting(format!(
                "inference.exit_thresholds names layer {layer}, but the model has exits only after the layers {}",
                layers.join(", ")
            )));
        };
        exit.threshold = threshold;
    }
    Ok(())
}
