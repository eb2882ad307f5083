//! Packing a model's weights.

use sentistream_kernels::{Form, Isa, LANES, Linear, Norm, RawLinear};

use crate::inference::layout::{Layout, Part};
use crate::inference::spec::{EncoderShape, HeadSpec, ModelSpec};
use crate::inference::weights::Weights;

use super::last::{LastLayer, Look};
use super::{FusedEncoder, Head, Layer};

/// Reads and packs linear layers.
struct Packer<'a> {
    weights: &'a Weights,
    layout: Layout,
    epsilon: f32,
    form: Form,
    dim: usize,
}

impl FusedEncoder {
    /// Whether a model's sizes fit the lanes.
    pub fn fits(shape: &EncoderShape) -> bool {
        let width = shape.dim / shape.n_heads;
        width.is_multiple_of(LANES) && shape.hidden_dim.is_multiple_of(LANES)
    }

    /// Packs the weights of a model that [`Self::fits`], for products in that form.
    ///
    /// # Errors
    /// When a weight is missing or of a wrong shape.
    pub fn load(spec: &ModelSpec, weights: &Weights, (isa, form): (Isa, Form)) -> Result<Self, String> {
        let shape = spec.shape.clone();
        let dim = shape.dim;
        let layout = Layout::of(spec.family);
        let packer = Packer { weights, layout, epsilon: shape.layer_norm_eps, form, dim };
        let head = |head: &HeadSpec| packer.head(layout.head(&head.prefix), head.classes.len());
        let (layers, last) = packer.layers(&shape)?;
        Ok(Self {
            isa,
            form,
            words: weights.words(&layout.words(), &[shape.vocab_size, dim])?,
            positions: layout.positions(spec, weights)?,
            norm: packer.norm(&layout.embedding_norm())?,
            layers,
            last,
            heads: spec.heads.iter().map(head).collect::<Result<_, _>>()?,
            head_activation: layout.head_activation(),
            shape,
        })
    }
}

impl Packer<'_> {
    /// All layers, packed side by side: it is most of the time to start.
    fn layers(&self, shape: &EncoderShape) -> Result<(Vec<Layer>, LastLayer), String> {
        let last = shape.n_layers - 1;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..last).map(|index| scope.spawn(move || self.layer(index, shape))).collect();
            let last = self.last_layer(last, shape)?;
            let done = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            let layers = done.map(|layer| layer.unwrap_or_else(|_| Err("packing a layer broke off".to_owned())));
            Ok((layers.collect::<Result<_, _>>()?, last))
        })
    }

    /// Query (scaled), key and value.
    fn attention(&self, index: usize, shape: &EncoderShape) -> Result<[RawLinear; 3], String> {
        let raw = |part| self.raw(&self.layout.layer(index, part), self.dim, self.dim);
        let mut query = raw(Part::Query)?;
        // Scores are divided by the root of the width of a head; queries carry that.
        let scale = 1.0 / ((self.dim / shape.n_heads) as f32).sqrt();
        query.weight.iter_mut().chain(&mut query.bias).for_each(|value| *value *= scale);
        Ok([query, raw(Part::Key)?, raw(Part::Value)?])
    }

    fn layer(&self, index: usize, shape: &EncoderShape) -> Result<Layer, String> {
        let [mut all, key, value] = self.attention(index, shape)?;
        for next in [key, value] {
            all.weight.extend(next.weight);
            all.bias.extend(next.bias);
        }
        self.layer_around((index, all), shape)
    }

    fn last_layer(&self, index: usize, shape: &EncoderShape) -> Result<LastLayer, String> {
        let [query, key, value] = self.attention(index, shape)?;
        let (dim, width) = (self.dim, self.dim / shape.n_heads);
        let look = |head: usize| {
            let part = head * width * dim..(head + 1) * width * dim;
            let (key, value_weight) = (&key.weight[part.clone()], value.weight[part].to_vec());
            let transposed = (0..dim).flat_map(|to| key[to..].iter().step_by(dim).copied()).collect();
            let value_bias = value.bias[head * width..][..width].to_vec();
            Look {
                keys: self.pack(&RawLinear { weight: transposed, bias: vec![0.0; dim], inputs: width }),
                values: self.pack(&RawLinear { weight: value_weight, bias: value_bias, inputs: dim }),
            }
        };
        let heads = (0..shape.n_heads).map(look).collect();
        Ok(LastLayer { layer: self.layer_around((index, query), shape)?, heads })
    }

    /// A layer with what its attention asks of each token.
    fn layer_around(&self, (index, attention): (usize, RawLinear), shape: &EncoderShape) -> Result<Layer, String> {
        let at = |part| self.layout.layer(index, part);
        let (dim, hidden) = (self.dim, shape.hidden_dim);
        let before = match index {
            0 => self.layout.embedding_norm(),
            _ => self.layout.layer(index - 1, Part::OutputNorm),
        };
        let attention_norm = self.norm(&at(Part::AttentionNorm))?;
        Ok(Layer {
            attention: self.pack_after(&self.norm(&before)?, attention),
            out: self.pack(&self.raw(&at(Part::Out), dim, dim)?),
            widen: self.pack_after(&attention_norm, self.raw(&at(Part::Widen), dim, hidden)?),
            attention_norm,
            narrow: self.pack(&self.raw(&at(Part::Narrow), hidden, dim)?),
            output_norm: self.norm(&at(Part::OutputNorm))?,
        })
    }

    fn head(&self, [hidden, classes]: [String; 2], count: usize) -> Result<Head, String> {
        let dim = self.dim;
        Ok(Head {
            hidden: Linear::f32(&self.raw(&hidden, dim, dim)?),
            classes: Linear::f32(&self.raw(&classes, dim, count)?),
            count,
        })
    }

    fn pack(&self, raw: &RawLinear) -> Linear {
        match self.form {
            Form::F32 => Linear::f32(raw),
            Form::Bf16 => Linear::bf16(raw),
            Form::Int8 => Linear::int8(raw),
        }
    }

    /// A layer that reads normalised rows as they are rounded: without the weight and bias of
    /// the normalisation: here they become part of its own.
    fn pack_after(&self, norm: &Norm, mut raw: RawLinear) -> Linear {
        if self.form != Form::F32 {
            for (weights, bias) in raw.weight.chunks_exact_mut(raw.inputs).zip(&mut raw.bias) {
                *bias += weights.iter().zip(&norm.bias).map(|(weight, bias)| weight * bias).sum::<f32>();
                weights.iter_mut().zip(&norm.weight).for_each(|(weight, scale)| *weight *= scale);
            }
        }
        self.pack(&raw)
    }

    fn raw(&self, name: &str, inputs: usize, outputs: usize) -> Result<RawLinear, String> {
        Ok(RawLinear {
            weight: self.weights.floats(&format!("{name}.weight"), &[outputs, inputs])?,
            bias: self.weights.floats(&format!("{name}.bias"), &[outputs])?,
            inputs,
        })
    }

    fn norm(&self, name: &str) -> Result<Norm, String> {
        let part = |part: &str| self.weights.floats(&format!("{name}.{part}"), &[self.dim]);
        Ok(Norm { weight: part("weight")?, bias: part("bias")?, epsilon: self.epsilon })
    }
}
