//! What a model's `config.json` says.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The shape of a DistilBERT encoder, under the names of its `config.json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EncoderShape {
    /// Tokens it knows.
    pub vocab_size: usize,
    /// Longest input in tokens.
    pub max_position_embeddings: usize,
    /// Width of a token.
    pub dim: usize,
    /// Layers.
    pub n_layers: usize,
    /// Attention heads per layer.
    pub n_heads: usize,
    /// Width of the feed-forward part.
    pub hidden_dim: usize,
    /// Its activation.
    #[serde(default)]
    pub activation: Activation,
}

/// The activation of the feed-forward part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// GELU, by the error function.
    #[default]
    Gelu,
    /// The larger of the value and zero.
    Relu,
}

/// A classification head: linear, ReLU, linear, on the first token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadSpec {
    /// What stands before `pre_classifier` in the names of its weights (`sentiment.`, or nothing).
    pub prefix: String,
    /// The classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Whether each class is judged by itself (sigmoid) instead of against the others (softmax).
    pub independent: bool,
}

/// A model's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    /// The architecture's name.
    pub architecture: String,
    /// The encoder.
    pub shape: EncoderShape,
    /// The heads, at least one; their outputs stand side by side in this order.
    pub heads: Vec<HeadSpec>,
}

#[derive(Deserialize)]
struct RawConfig {
    model_type: String,
    #[serde(flatten)]
    shape: Option<EncoderShape>,
    #[serde(flatten)]
    head: RawHead,
    #[serde(default)]
    heads: BTreeMap<String, RawHead>,
}

#[derive(Default, Deserialize)]
struct RawHead {
    problem_type: Option<String>,
    #[serde(default)]
    id2label: BTreeMap<String, String>,
}

impl ModelSpec {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// What is wrong in it.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let raw: RawConfig = serde_json::from_slice(json).map_err(|e| format!("config.json: {e}"))?;
        if raw.model_type != "distilbert" {
            return Err(format!(
                "config.json: model_type `{}` is not supported; give a `distilbert` sequence classifier",
                raw.model_type
            ));
        }
        // The flattened option hides the reason, so it is asked for again when it is missing.
        let shape = match raw.shape {
            Some(shape) => shape,
            None => serde_json::from_slice(json).map_err(|e| format!("config.json: {e}"))?,
        };
        check(&shape)?;
        let heads = if raw.heads.is_empty() {
            vec![head("", raw.head)?]
        } else {
            raw.heads.into_iter().map(|(name, raw)| head(&format!("{name}."), raw)).collect::<Result<_, _>>()?
        };
        Ok(Self { architecture: raw.model_type, shape, heads })
    }

    /// How many outputs all heads have together.
    pub fn outputs(&self) -> usize {
        self.heads.iter().map(|head| head.classes.len()).sum()
    }
}

fn check(shape: &EncoderShape) -> Result<(), String> {
    let EncoderShape { vocab_size, max_position_embeddings, dim, n_layers, n_heads, hidden_dim, .. } = *shape;
    if [vocab_size, max_position_embeddings, dim, n_layers, n_heads, hidden_dim].contains(&0) {
        return Err("config.json: every size must be above 0".to_owned());
    }
    if max_position_embeddings < 3 {
        return Err("config.json: max_position_embeddings must be at least 3".to_owned());
    }
    if !dim.is_multiple_of(n_heads) {
        return Err(format!("config.json: dim {dim} cannot be split over {n_heads} heads"));
    }
    Ok(())
}

fn head(prefix: &str, raw: RawHead) -> Result<HeadSpec, String> {
    let count = raw.id2label.len();
    if count < 2 {
        return Err("config.json: id2label must name at least two classes; the model is no classifier".to_owned());
    }
    let mut classes = vec![String::new(); count];
    for (id, label) in raw.id2label {
        let place = id.parse::<usize>().ok().and_then(|id| classes.get_mut(id));
        *place.ok_or_else(|| format!("config.json: id2label must count from 0 to {}, not `{id}`", count - 1))? = label;
    }
    let independent = raw.problem_type.as_deref() == Some("multi_label_classification");
    Ok(HeadSpec { prefix: prefix.to_owned(), classes, independent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_config_is_refused_with_its_reason() {
        let config = |text: &str| ModelSpec::parse(text.as_bytes()).unwrap_err();
        assert!(config(r#"{"model_type": "t5"}"#).contains("`t5` is not supported"));
        assert!(config(r#"{"model_type": "distilbert"}"#).contains("missing field"));
        let sizes = r#""vocab_size": 9, "max_position_embeddings": 8, "n_layers": 1, "hidden_dim": 4"#;
        let uneven = format!(r#"{{"model_type": "distilbert", {sizes}, "dim": 10, "n_heads": 4}}"#);
        assert!(config(&uneven).contains("dim 10 cannot be split over 4 heads"));
        let unnamed = format!(r#"{{"model_type": "distilbert", {sizes}, "dim": 8, "n_heads": 4}}"#);
        assert!(config(&unnamed).contains("id2label must name at least two classes"));
    }
}
