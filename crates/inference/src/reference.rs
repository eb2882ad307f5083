//! The encoder on Candle's tensors: simple, exact, and for models of any shape. It is the reference in tests of the
//! fused encoder, and it runs models that the fused encoder does not support.

use candle_core::{D, DType, Device, Result, Tensor};

use sentistream_kernels::Activation;

use super::Precision;
use super::error::LoadError;
use super::layout::{HeadActivation, Layout, Part};
use super::spec::{HeadSpec, ModelSpec};
use super::weights::Weights;

/// An encoder of the BERT kind with its heads. The texts of a batch are concatenated, without padding.
pub struct ReferenceEncoder {
    words: Tensor,
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Vec<[Linear; 2]>,
    attention_heads: usize,
    activation: Activation,
    head_activation: HeadActivation,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    attention_norm: Norm,
    widen: Linear,
    narrow: Linear,
    output_norm: Norm,
}

struct Linear {
    /// The weight matrix. Its rows are inputs, its columns outputs.
    weight: Tensor,
    bias: Tensor,
}

struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

/// Reads weights as tensors of one precision.
struct Loader<'a> {
    weights: &'a Weights,
    precision: Precision,
    epsilon: f32,
    device: &'a Device,
}

impl ReferenceEncoder {
    /// Builds the encoder on the CPU. With `Bf16` the weights are rounded and the computation uses f32, because
    /// Candle has no bf16 matrix product for CPUs.
    ///
    /// # Errors
    /// When a weight is missing or of a wrong shape.
    pub fn load(spec: &ModelSpec, weights: &Weights, precision: Precision) -> std::result::Result<Self, LoadError> {
        Self::load_on(&Device::Cpu, spec, weights, precision)
    }

    /// Builds the encoder on any device.
    ///
    /// # Errors
    /// When a weight is missing or of a wrong shape, or the device has not enough memory.
    pub fn load_on(
        device: &Device,
        spec: &ModelSpec,
        weights: &Weights,
        precision: Precision,
    ) -> std::result::Result<Self, LoadError> {
        let shape = &spec.shape;
        let loader = Loader { weights, precision, epsilon: shape.layer_norm_eps, device };
        let layout = Layout::of(spec.family);
        let (dim, hidden) = (shape.dim, shape.hidden_dim);
        let layer = |index: usize| {
            let at = |part| layout.layer(index, part);
            Ok::<_, LoadError>(Layer {
                query: loader.linear(&at(Part::Query), dim, dim)?,
                key: loader.linear(&at(Part::Key), dim, dim)?,
                value: loader.linear(&at(Part::Value), dim, dim)?,
                out: loader.linear(&at(Part::Out), dim, dim)?,
                attention_norm: loader.norm(&at(Part::AttentionNorm), dim)?,
                widen: loader.linear(&at(Part::Widen), dim, hidden)?,
                narrow: loader.linear(&at(Part::Narrow), hidden, dim)?,
                output_norm: loader.norm(&at(Part::OutputNorm), dim)?,
            })
        };
        let head = |spec: &HeadSpec| {
            let [hidden, classes] = layout.head(&spec.prefix);
            Ok::<_, LoadError>([loader.linear(&hidden, dim, dim)?, loader.linear(&classes, dim, spec.classes.len())?])
        };
        let words =
            loader.tensor(weights.floats(&layout.words(), &[shape.vocab_size, dim])?, &[shape.vocab_size, dim])?;
        Ok(Self {
            words: loader.half(words)?,
            positions: loader.tensor(layout.positions(spec, weights)?, &[spec.max_tokens(), dim])?,
            norm: loader.norm(&layout.embedding_norm(), dim)?,
            layers: (0..shape.n_layers).map(layer).collect::<std::result::Result<_, _>>()?,
            heads: spec.heads.iter().map(head).collect::<std::result::Result<_, _>>()?,
            attention_heads: shape.n_heads,
            activation: shape.activation,
            head_activation: layout.head_activation(),
        })
    }

    /// The number of layers.
    pub fn layers(&self) -> u32 {
        self.layers.len() as u32
    }

    /// Whether the weights are on a GPU.
    pub fn is_on_card(&self) -> bool {
        self.words.device().is_cuda()
    }

    /// Computes the outputs of all heads, concatenated text by text.
    ///
    /// # Errors
    /// When Candle rejects an operation.
    pub fn logits(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        // Texts are sorted by length, so that the attention of all texts with the same length is a single product.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&place| texts[place].len());
        let sorted: Vec<&[u32]> = order.iter().map(|&place| texts[place]).collect();
        let logits = self.sorted_logits(&sorted)?;
        let outputs = logits.len() / texts.len().max(1);
        let mut restored = vec![0.0; logits.len()];
        for (logits, place) in logits.chunks_exact(outputs.max(1)).zip(order) {
            restored[place * outputs..][..outputs].copy_from_slice(logits);
        }
        Ok(restored)
    }

    fn sorted_logits(&self, texts: &[&[u32]]) -> Result<Vec<f32>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let mut tokens = self.embed(texts)?;
        for layer in &self.layers {
            tokens = self.layer(layer, &tokens, texts)?;
        }
        let mut first = Vec::with_capacity(texts.len());
        let mut start = 0u32;
        for text in texts {
            first.push(start);
            start += text.len() as u32;
        }
        let first = tokens.index_select(&Tensor::new(first, tokens.device())?, 0)?;
        let outputs: Vec<Tensor> = self
            .heads
            .iter()
            .map(|[hidden, classes]| {
                let hidden = hidden.forward(&first)?;
                classes.forward(&match self.head_activation {
                    HeadActivation::Relu => hidden.relu()?,
                    HeadActivation::Tanh => hidden.tanh()?,
                })
            })
            .collect::<Result<_>>()?;
        Tensor::cat(&outputs, 1)?.flatten_all()?.to_vec1()
    }

    fn embed(&self, texts: &[&[u32]]) -> Result<Tensor> {
        let device = self.words.device();
        let ids: Vec<u32> = texts.iter().flat_map(|ids| ids.iter().copied()).collect();
        let places: Vec<u32> = texts.iter().flat_map(|ids| 0..ids.len() as u32).collect();
        let words = self.words.index_select(&Tensor::new(ids, device)?, 0)?.to_dtype(DType::F32)?;
        let positions = self.positions.index_select(&Tensor::new(places, device)?, 0)?;
        self.norm.forward(&(words + positions)?)
    }

    fn layer(&self, layer: &Layer, tokens: &Tensor, texts: &[&[u32]]) -> Result<Tensor> {
        let (query, key, value) =
            (layer.query.forward(tokens)?, layer.key.forward(tokens)?, layer.value.forward(tokens)?);
        let mut start = 0;
        let mut seen = Vec::with_capacity(texts.len());
        for same in texts.chunk_by(|a, b| a.len() == b.len()) {
            let (texts, length) = (same.len(), same[0].len());
            let part = |all: &Tensor| self.heads_apart(&all.narrow(0, start, texts * length)?, (texts, length));
            seen.push(attend(&part(&query)?, &part(&key)?, &part(&value)?)?);
            start += texts * length;
        }
        let attended = layer.out.forward(&Tensor::cat(&seen, 0)?)?;
        let tokens = layer.attention_norm.forward(&(attended + tokens)?)?;
        let wide = layer.widen.forward(&tokens)?;
        let wide = match self.activation {
            Activation::Gelu => wide.gelu_erf()?,
            Activation::Relu => wide.relu()?,
        };
        layer.output_norm.forward(&(layer.narrow.forward(&wide)? + tokens)?)
    }

    /// Reshapes the rows of texts with the same length to a matrix per text and head.
    fn heads_apart(&self, rows: &Tensor, (texts, length): (usize, usize)) -> Result<Tensor> {
        let width = rows.dim(1)? / self.attention_heads;
        rows.reshape((texts, length, self.attention_heads, width))?.transpose(1, 2)?.contiguous()
    }
}

/// Computes attention within each text. The result contains the rows of the texts one after another.
fn attend(query: &Tensor, key: &Tensor, value: &Tensor) -> Result<Tensor> {
    let (texts, heads, length, width) = query.dims4()?;
    let scores = (query.matmul(&key.t()?.contiguous()?)? / (width as f64).sqrt())?;
    let seen = candle_nn::ops::softmax(&scores, D::Minus1)?.matmul(value)?;
    seen.transpose(1, 2)?.reshape((texts * length, heads * width))
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.to_dtype(self.weight.dtype())?.matmul(&self.weight)?;
        product.to_dtype(DType::F32)?.broadcast_add(&self.bias)
    }
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

impl Loader<'_> {
    fn named(&self, name: &str, shape: &[usize]) -> std::result::Result<Tensor, LoadError> {
        self.tensor(self.weights.floats(name, shape)?, shape)
    }

    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> std::result::Result<Tensor, LoadError> {
        Tensor::from_vec(values, shape, self.device).map_err(|e| LoadError::Files(e.to_string()))
    }

    /// Converts a tensor to the precision of the weights.
    fn half(&self, tensor: Tensor) -> std::result::Result<Tensor, LoadError> {
        let rounded = match self.precision {
            Precision::F16 => tensor.to_dtype(DType::F16),
            Precision::Bf16 => tensor.to_dtype(DType::BF16).and_then(|tensor| tensor.to_dtype(DType::F32)),
            Precision::Auto | Precision::F32 | Precision::Int8 => Ok(tensor),
        };
        rounded.map_err(|e| LoadError::Files(e.to_string()))
    }

    fn linear(&self, name: &str, inputs: usize, outputs: usize) -> std::result::Result<Linear, LoadError> {
        let weight = self.half(self.named(&format!("{name}.weight"), &[outputs, inputs])?)?;
        let weight = weight.t().and_then(|weight| weight.contiguous()).map_err(|e| e.to_string())?;
        Ok(Linear { weight, bias: self.named(&format!("{name}.bias"), &[outputs])? })
    }

    fn norm(&self, name: &str, dim: usize) -> std::result::Result<Norm, LoadError> {
        let part = |part: &str| self.named(&format!("{name}.{part}"), &[dim]);
        Ok(Norm { weight: part("weight")?, bias: part("bias")?, epsilon: self.epsilon })
    }
}
