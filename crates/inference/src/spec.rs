//! Parses the `config.json` of a model.

use std::collections::BTreeMap;

use sentistream_kernels::Activation;
use serde::Deserialize;

use super::error::LoadError;
use sentistream_core::domain::language::code;

/// The shape of an encoder. The fields have the names of DistilBERT; the names of BERT and RoBERTa are aliases.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EncoderShape {
    /// The size of the vocabulary.
    pub vocab_size: usize,
    /// The number of position embeddings. See [`ModelSpec::max_tokens`] for the maximum length of an input.
    pub max_position_embeddings: usize,
    /// The width of a token vector.
    #[serde(alias = "hidden_size")]
    pub dim: usize,
    /// The number of layers.
    #[serde(alias = "num_hidden_layers")]
    pub n_layers: usize,
    /// The number of attention heads per layer.
    #[serde(alias = "num_attention_heads")]
    pub n_heads: usize,
    /// The width of the feed-forward part.
    #[serde(alias = "intermediate_size")]
    pub hidden_dim: usize,
    /// The activation of the feed-forward part.
    #[serde(default, alias = "hidden_act")]
    pub activation: Activation,
    /// The value that normalisations add to the variance.
    #[serde(default = "default_epsilon")]
    pub layer_norm_eps: f32,
}

/// The fixed value of DistilBERT, which is also the default of BERT.
fn default_epsilon() -> f32 {
    1e-12
}

/// A family of architectures. All families have the same encoder, but different heads and different names of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// DistilBERT: no token types, and a head of linear, ReLU, linear.
    DistilBert,
    /// BERT: a pooler (linear, tanh) before the classifier.
    Bert,
    /// RoBERTa and XLM-RoBERTa: positions start after the padding id, and a head of linear, tanh, linear.
    Roberta,
}

/// A classification head on the first token: linear, activation, linear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadSpec {
    /// The prefix of the names of the head's weights: `sentiment.`, `emotion.` or empty.
    pub prefix: String,
    /// The classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Whether the classes are independent of each other (sigmoid). Otherwise they exclude each other (softmax).
    pub independent: bool,
}

/// The structure of a model, from its `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// The name of the architecture.
    pub architecture: String,
    /// The family of the architecture, which determines the names of weights and the head.
    pub family: Family,
    /// The shape of the encoder.
    pub shape: EncoderShape,
    /// The index of the position embedding of the first token.
    pub first_position: usize,
    /// The heads, at least one. Their outputs are concatenated in this order.
    pub heads: Vec<HeadSpec>,
    /// The early exits, in the order of the layers.
    pub exits: Vec<ExitSpec>,
    /// The languages that the model was trained for, as codes such as `en`; empty if it declares none.
    pub languages: Vec<String>,
}

/// An early exit: a small head on the first token after a layer. It computes the outputs of all heads, and a gate: the
/// estimated probability that the last layer selects the same labels.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, serde::Serialize)]
pub struct ExitSpec {
    /// The layer before the exit, counted from 1.
    pub layer: usize,
    /// The threshold, in [0, 1]. A text stops at this exit if the gate is above the threshold.
    pub threshold: f32,
}

/// The order of the heads in the outputs of an exit. The gate comes last.
const EXIT_HEADS: [&str; 2] = ["sentiment.", "emotion."];

#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
    #[serde(flatten)]
    shape: Option<EncoderShape>,
    #[serde(flatten)]
    head: RawHead,
    #[serde(default)]
    heads: BTreeMap<String, RawHead>,
    #[serde(default)]
    exits: Vec<ExitSpec>,
    #[serde(default)]
    languages: Vec<String>,
}

#[derive(Default, Deserialize)]
struct RawHead {
    problem_type: Option<String>,
    #[serde(default)]
    id2label: BTreeMap<String, String>,
}

/// The suffix of the class names of sequence classifiers.
const CLASSIFIER: &str = "ForSequenceClassification";
const SUPPORTED: &str = "use a sequence classifier of type distilbert, bert, roberta or xlm-roberta";

impl ModelSpec {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// When the JSON is invalid, or the model is not supported.
    pub fn parse(json: &[u8]) -> Result<Self, LoadError> {
        let invalid = |e: serde_json::Error| LoadError::Setting(format!("config.json: {e}"));
        let raw: RawConfig = serde_json::from_slice(json).map_err(invalid)?;
        let architecture =
            raw.model_type.ok_or_else(|| LoadError::Setting(format!("config.json has no model_type; {SUPPORTED}")))?;
        let family = match architecture.as_str() {
            "distilbert" => Family::DistilBert,
            "bert" => Family::Bert,
            "roberta" | "xlm-roberta" => Family::Roberta,
            other => {
                return Err(LoadError::Setting(format!(
                    "config.json: model_type `{other}` is not supported; {SUPPORTED}"
                )));
            }
        };
        let is_classifier = raw.architectures.iter().any(|class| class.ends_with(CLASSIFIER));
        if let (false, Some(class)) = (is_classifier, raw.architectures.first()) {
            return Err(LoadError::Setting(format!("config.json: {class} is not a classifier; {SUPPORTED}")));
        }
        if let Some(kind) = raw.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(LoadError::Setting(format!(
                "config.json: position_embedding_type `{kind}` is not supported, only `absolute`"
            )));
        }
        // The flattened `Option` is `None` after any error, so the shape is parsed again to report the cause.
        let shape = match raw.shape {
            Some(shape) => shape,
            None => serde_json::from_slice(json).map_err(invalid)?,
        };
        let first_position =
            if family == Family::Roberta { raw.pad_token_id.unwrap_or(1).saturating_add(1) } else { 0 };
        check(&shape, first_position)?;
        let heads = if raw.heads.is_empty() {
            vec![head("", raw.head.or_default(is_classifier))?]
        } else {
            raw.heads.into_iter().map(|(name, raw)| head(&format!("{name}."), raw)).collect::<Result<_, _>>()?
        };
        let exits = exits(raw.exits, (&shape, &heads))?;
        let languages = languages(&raw.languages)?;
        Ok(Self { architecture, family, shape, first_position, heads, exits, languages })
    }

    /// The maximum length of an input in tokens, including special tokens.
    pub fn max_tokens(&self) -> usize {
        self.shape.max_position_embeddings - self.first_position
    }

    /// A permutation that puts the stored outputs of an exit into the order of `heads`. It lists the stored index of
    /// each output of the heads, and then the stored index of the gate. `EXIT_HEADS` is the stored order.
    pub fn exit_order(&self) -> Vec<usize> {
        let classes = |prefix: &str| {
            let head = self.heads.iter().find(|head| head.prefix == prefix);
            head.map_or(0, |head| head.classes.len())
        };
        let start = |prefix: &str| -> usize {
            EXIT_HEADS.iter().take_while(|head| **head != prefix).map(|head| classes(head)).sum()
        };
        let outputs = self.heads.iter().flat_map(|head| start(&head.prefix)..start(&head.prefix) + head.classes.len());
        outputs.chain([self.outputs()]).collect()
    }

    /// The total number of outputs of all heads.
    pub fn outputs(&self) -> usize {
        self.heads.iter().map(|head| head.classes.len()).sum()
    }
}

impl RawHead {
    /// Adds the default names of two classes, because the reference library does not write them to the config.
    fn or_default(mut self, is_classifier: bool) -> Self {
        if self.id2label.is_empty() && is_classifier {
            self.id2label = (0..2).map(|id| (id.to_string(), format!("LABEL_{id}"))).collect();
        }
        self
    }
}

fn languages(tags: &[String]) -> Result<Vec<String>, LoadError> {
    let code = |tag: &String| {
        code(tag).ok_or_else(|| {
            LoadError::Setting(format!("config.json: languages must be codes such as \"en\", but one is {tag:?}"))
        })
    };
    tags.iter().map(code).collect()
}

/// The maximum sizes of an encoder, far above those of known models. They limit the memory that is reserved before the
/// weights are read.
const MAX_VOCABULARY: usize = 4_000_000;
const MAX_POSITIONS: usize = 131_072;
const MAX_WIDTH: usize = 16_384;
const MAX_LAYERS: usize = 256;
const MAX_HEADS: usize = 1_024;
const MAX_HIDDEN_WIDTH: usize = 131_072;

fn check(shape: &EncoderShape, first_position: usize) -> Result<(), LoadError> {
    let EncoderShape { vocab_size, max_position_embeddings, dim, n_layers, n_heads, hidden_dim, .. } = *shape;
    let sizes = [
        ("vocab_size", vocab_size, MAX_VOCABULARY),
        ("max_position_embeddings", max_position_embeddings, MAX_POSITIONS),
        ("dim", dim, MAX_WIDTH),
        ("n_layers", n_layers, MAX_LAYERS),
        ("n_heads", n_heads, MAX_HEADS),
        ("hidden_dim", hidden_dim, MAX_HIDDEN_WIDTH),
    ];
    if sizes.iter().any(|(_, size, _)| *size == 0) {
        return Err(LoadError::Setting("config.json: every size must be above 0".to_owned()));
    }
    if let Some((name, size, limit)) = sizes.iter().find(|(_, size, limit)| size > limit) {
        return Err(LoadError::Setting(format!("config.json: {name} must be at most {limit}, but is {size}")));
    }
    let least = first_position.saturating_add(3);
    if max_position_embeddings < least {
        return Err(LoadError::Setting(format!("config.json: max_position_embeddings must be at least {least}")));
    }
    if !dim.is_multiple_of(n_heads) {
        return Err(LoadError::Setting(format!(
            "config.json: dim {dim} must be a multiple of the number of heads, {n_heads}"
        )));
    }
    Ok(())
}

fn exits(exits: Vec<ExitSpec>, (shape, heads): (&EncoderShape, &[HeadSpec])) -> Result<Vec<ExitSpec>, LoadError> {
    if exits.is_empty() {
        return Ok(exits);
    }
    let mut prefixes: Vec<&str> = heads.iter().map(|head| head.prefix.as_str()).collect();
    prefixes.sort_by_key(|prefix| EXIT_HEADS.iter().position(|head| head == prefix));
    if prefixes != EXIT_HEADS {
        return Err(LoadError::Setting(
            "config.json: a model with exits must have the heads sentiment and emotion".to_owned(),
        ));
    }
    let mut before = 0;
    for exit in &exits {
        if exit.layer <= before || exit.layer >= shape.n_layers {
            let last = shape.n_layers - 1;
            return Err(LoadError::Setting(format!(
                "config.json: the layers of exits must be in ascending order from 1 to {last}, found {}",
                exit.layer
            )));
        }
        if !(0.0..=1.0).contains(&exit.threshold) {
            return Err(LoadError::Setting(format!(
                "config.json: the threshold of an exit must be in [0, 1], but is {}",
                exit.threshold
            )));
        }
        before = exit.layer;
    }
    Ok(exits)
}

fn head(prefix: &str, raw: RawHead) -> Result<HeadSpec, LoadError> {
    let count = raw.id2label.len();
    if count < 2 {
        return Err(LoadError::Setting(
            "config.json: id2label must name at least two classes; the model is not a classifier".to_owned(),
        ));
    }
    let mut classes = vec![String::new(); count];
    for (id, label) in raw.id2label {
        let place = id.parse::<usize>().ok().and_then(|id| classes.get_mut(id));
        let wrong = || format!("config.json: id2label must have the keys 0 to {}, but has `{id}`", count - 1);
        *place.ok_or_else(|| LoadError::Setting(wrong()))? = label;
    }
    let independent = raw.problem_type.as_deref() == Some("multi_label_classification");
    Ok(HeadSpec { prefix: prefix.to_owned(), classes, independent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_with_implausible_sizes_is_rejected() {
        for name in ["vocab_size", "max_position_embeddings", "dim", "n_layers", "n_heads", "hidden_dim"] {
            let mut config = serde_json::json!({
                "model_type": "distilbert", "vocab_size": 9, "max_position_embeddings": 8, "dim": 8, "n_layers": 1,
                "n_heads": 4, "hidden_dim": 4, "id2label": {"0": "negative", "1": "positive"},
            });
            assert!(ModelSpec::parse(config.to_string().as_bytes()).is_ok());
            config[name] = (1_u64 << 40).into();
            let error = ModelSpec::parse(config.to_string().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("config.json: {name} must be at most ")), "{error}");
        }
        let padded = r#"{"model_type": "roberta", "pad_token_id": 18446744073709551615, "hidden_size": 8, "vocab_size": 9,
            "max_position_embeddings": 8, "num_hidden_layers": 1, "intermediate_size": 4, "num_attention_heads": 4}"#;
        let error = ModelSpec::parse(padded.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("max_position_embeddings must be at least"), "{error}");
    }

    #[test]
    fn invalid_config_error_names_reason() {
        let config = |text: &str| ModelSpec::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(config(r#"{"model_type": "t5"}"#).contains("`t5` is not supported"));
        assert!(config(r#"{"hidden_size": 5}"#).contains("no model_type"));
        let masked = config(r#"{"model_type": "bert", "architectures": ["BertForMaskedLM"]}"#);
        assert!(masked.contains("BertForMaskedLM is not a classifier"), "{masked}");
        let relative = config(r#"{"model_type": "bert", "position_embedding_type": "relative_key"}"#);
        assert!(relative.contains("`relative_key` is not supported"), "{relative}");
        assert!(config(r#"{"model_type": "distilbert"}"#).contains("missing field"));
        let sizes = r#""vocab_size": 9, "max_position_embeddings": 8, "n_layers": 1, "hidden_dim": 4"#;
        let uneven = format!(r#"{{"model_type": "distilbert", {sizes}, "dim": 10, "n_heads": 4}}"#);
        assert!(config(&uneven).contains("dim 10 must be a multiple of the number of heads, 4"));
        let unnamed = format!(r#"{{"model_type": "distilbert", {sizes}, "dim": 8, "n_heads": 4}}"#);
        let vague = r#"{"model_type": "bert", "hidden_size": 8, "vocab_size": 9, "max_position_embeddings": 8,
            "num_hidden_layers": 1, "intermediate_size": 4, "num_attention_heads": 4,
            "id2label": {"0": "negative", "1": "positive"}, "languages": ["en", "Deutsch"]}"#;
        assert!(config(vague).contains("languages must be codes"), "{}", config(vague));
        assert!(config(&unnamed).contains("id2label must name at least two classes"));
    }
}
