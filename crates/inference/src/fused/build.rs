//! Packs the weights of a model.

use std::sync::atomic::{AtomicUsize, Ordering};

use sentistream_kernels::{Format, Isa, LANES, Linear, Norm, RawLinear};

use crate::error::LoadError;
use crate::layout::{EXIT_ACTIVATION, Layout, Part, exit};
use crate::spec::{EncoderShape, ExitSpec, HeadSpec, ModelSpec};
use crate::weights::Weights;

use super::first::{FirstToken, HeadProjection};
use super::heads::Head;
use super::layer::{Layer, LayerRest};
use super::{Exit, FusedEncoder, LastLayer};

/// Reads and packs linear layers.
struct Packer<'a> {
    weights: &'a Weights,
    layout: Layout,
    epsilon: f32,
    isa: Isa,
    format: Format,
    dim: usize,
}

impl FusedEncoder {
    /// Whether all sizes of a model are multiples of [`LANES`], which the kernels require.
    pub fn fits(shape: &EncoderShape) -> bool {
        let width = shape.dim / shape.n_heads;
        width.is_multiple_of(LANES) && shape.hidden_dim.is_multiple_of(LANES)
    }

    /// Packs the weights of a model for products in the given format. [`Self::fits`] must be true for its shape.
    ///
    /// # Errors
    /// When a weight is missing or of a wrong shape.
    pub fn load(spec: &ModelSpec, weights: &Weights, (isa, format): (Isa, Format)) -> Result<Self, LoadError> {
        let shape = spec.shape.clone();
        let dim = shape.dim;
        let layout = Layout::of(spec.family);
        let packer = Packer { weights, layout, epsilon: shape.layer_norm_eps, isa, format, dim };
        let Packed { layers, last, exits } = packer.layers(spec)?;
        Ok(Self {
            isa,
            format,
            words: weights.words(&layout.words(), &[shape.vocab_size, dim])?,
            positions: layout.positions(spec, weights)?,
            norm: packer.norm(&layout.embedding_norm())?,
            layers,
            last,
            heads: spec.heads.iter().map(|head| packer.head(head)).collect::<Result<_, _>>()?,
            exits,
            shape,
        })
    }
}

/// The layers of a model.
struct Packed {
    layers: Vec<Layer>,
    last: LastLayer,
    exits: Vec<Exit>,
}

/// Calls `make` with each index below `count`, and returns the results in the order of the indexes. At most one call
/// per core runs at the same time, because each call needs several times the memory of its result.
fn in_parallel<T: Send>(
    count: usize,
    make: impl Fn(usize) -> Result<T, LoadError> + Sync,
) -> Result<Vec<T>, LoadError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, T)>, LoadError> {
        let mut made = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(made);
            }
            made.push((index, make(index)?));
        }
    };
    let mut all: Vec<(usize, T)> = Vec::with_capacity(count);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        all.extend(work()?);
        for thread in others {
            all.extend(thread.join().unwrap_or_else(|_| Err(LoadError::Panicked))?);
        }
        Ok::<(), LoadError>(())
    })?;
    all.sort_unstable_by_key(|(index, _)| *index);
    Ok(all.into_iter().map(|(_, made)| made).collect())
}

impl Packer<'_> {
    /// Packs all layers in parallel, then the exits. This takes most of the loading time.
    fn layers(&self, spec: &ModelSpec) -> Result<Packed, LoadError> {
        let shape = &spec.shape;
        let last = shape.n_layers - 1;
        let mut rests = in_parallel(shape.n_layers, |index| self.rest(index, shape))?;
        let attentions = in_parallel(last, |index| self.all_tokens(index, shape))?;
        // The last layer and the layers of exits compute only the first token of each text.
        let of_first: Vec<usize> = std::iter::once(last).chain(spec.exits.iter().map(|exit| exit.layer - 1)).collect();
        let mut firsts = in_parallel(of_first.len(), |place| self.first_token(of_first[place], shape))?.into_iter();
        let (Some(first), Some(rest)) = (firsts.next(), rests.pop()) else {
            return Err(LoadError::Files("the model has no layers".to_owned()));
        };
        let layers = attentions.into_iter().zip(rests).map(|(attention, rest)| Layer { attention, rest }).collect();
        let exits = spec.exits.iter().zip(firsts).map(|(exit, first)| self.exit((exit, first), spec));
        Ok(Packed { layers, last: LastLayer { first, rest }, exits: exits.collect::<Result<_, _>>()? })
    }

    /// The weights of the query (already scaled), the key and the value.
    fn attention(&self, index: usize, shape: &EncoderShape) -> Result<[RawLinear; 3], LoadError> {
        let raw = |part| self.raw(&self.layout.layer(index, part), self.dim, self.dim);
        let mut query = raw(Part::Query)?;
        // Attention scores are divided by the square root of the width of a head. This factor is merged into the
        // weights of the queries.
        let scale = 1.0 / ((self.dim / shape.n_heads) as f32).sqrt();
        query.weight.iter_mut().chain(&mut query.bias).for_each(|value| *value *= scale);
        Ok([query, raw(Part::Key)?, raw(Part::Value)?])
    }

    /// Packs the projections to query, key and value of a layer that computes all tokens.
    fn all_tokens(&self, index: usize, shape: &EncoderShape) -> Result<Linear, LoadError> {
        let [mut all, key, value] = self.attention(index, shape)?;
        for next in [key, value] {
            all.weight.extend(next.weight);
            all.bias.extend(next.bias);
        }
        Ok(self.pack_after(&self.norm_before(index)?, all))
    }

    /// Packs the projections to query, key and value of a layer that computes only the first token of each text.
    fn first_token(&self, index: usize, shape: &EncoderShape) -> Result<FirstToken, LoadError> {
        let [query, key, value] = self.attention(index, shape)?;
        let (dim, width) = (self.dim, self.dim / shape.n_heads);
        let projection = |head: usize| {
            let part = head * width * dim..(head + 1) * width * dim;
            let (key, value_weight) = (&key.weight[part.clone()], value.weight[part].to_vec());
            let transposed = (0..dim).flat_map(|to| key[to..].iter().step_by(dim).copied()).collect();
            let value_bias = value.bias[head * width..][..width].to_vec();
            HeadProjection {
                keys: self.pack(&RawLinear { weight: transposed, bias: vec![0.0; dim], inputs: width }),
                values: self.pack(&RawLinear { weight: value_weight, bias: value_bias, inputs: dim }),
            }
        };
        let heads = (0..shape.n_heads).map(projection).collect();
        Ok(FirstToken { query: self.pack_after(&self.norm_before(index)?, query), heads })
    }

    /// Packs the part of a layer after its attention.
    fn rest(&self, index: usize, shape: &EncoderShape) -> Result<LayerRest, LoadError> {
        let at = |part| self.layout.layer(index, part);
        let (dim, hidden) = (self.dim, shape.hidden_dim);
        let attention_norm = self.norm(&at(Part::AttentionNorm))?;
        Ok(LayerRest {
            out: self.pack(&self.raw(&at(Part::Out), dim, dim)?),
            widen: self.pack_after(&attention_norm, self.raw(&at(Part::Widen), dim, hidden)?),
            attention_norm,
            narrow: self.pack(&self.raw(&at(Part::Narrow), hidden, dim)?),
            output_norm: self.norm(&at(Part::OutputNorm))?,
        })
    }

    /// The normalisation before layer `index`: that of the embeddings, or the last one of the preceding layer.
    fn norm_before(&self, index: usize) -> Result<Norm, LoadError> {
        self.norm(&match index {
            0 => self.layout.embedding_norm(),
            _ => self.layout.layer(index - 1, Part::OutputNorm),
        })
    }

    fn head(&self, head: &HeadSpec) -> Result<Head, LoadError> {
        let (dim, count) = (self.dim, head.classes.len());
        let [hidden, classes] = self.layout.head(&head.prefix);
        Ok(Head {
            hidden: Linear::f32(&self.raw(&hidden, dim, dim)?),
            classes: Linear::f32(&self.raw(&classes, dim, count)?),
            activation: self.layout.head_activation(),
            count,
        })
    }

    /// Packs an exit. Its outputs are reordered: first those of the heads, in the order of `spec.heads`, then the gate.
    fn exit(&self, (exit, first): (&ExitSpec, FirstToken), spec: &ModelSpec) -> Result<Exit, LoadError> {
        let [hidden, classes] = exit::names(exit.layer);
        let bias = self.weights.values(&format!("{hidden}.bias"))?;
        let width = bias.len();
        if !width.is_multiple_of(LANES) {
            return Err(LoadError::Files(format!(
                "{hidden}: the width {width} is not a multiple of {LANES}: train the exit with such a width"
            )));
        }
        let hidden = self.raw(&hidden, self.dim, width)?;
        let stored = self.raw(&classes, width, spec.outputs() + 1)?;
        let order = spec.exit_order();
        let weight = order.iter().flat_map(|&row| stored.weight[row * width..][..width].iter().copied()).collect();
        let bias = order.iter().map(|&row| stored.bias[row]).collect();
        Ok(Exit {
            layer: exit.layer - 1,
            gate_limit: (exit.threshold / (1.0 - exit.threshold)).ln(),
            first,
            head: Head {
                hidden: Linear::f32(&hidden),
                classes: Linear::f32(&RawLinear { weight, bias, inputs: width }),
                activation: EXIT_ACTIVATION,
                count: spec.outputs() + 1,
            },
        })
    }

    fn pack(&self, raw: &RawLinear) -> Linear {
        match self.format {
            Format::F32 => Linear::f32(raw),
            Format::Bf16 => Linear::bf16(raw),
            Format::Int8 => Linear::int8(raw, self.isa),
        }
    }

    /// Packs a linear layer that follows a normalisation. With int8 and bf16, the weight and bias of the normalisation
    /// are merged into the weights of the layer, so the input rows of the layer must not contain them.
    fn pack_after(&self, norm: &Norm, mut raw: RawLinear) -> Linear {
        if self.format != Format::F32 {
            for (weights, bias) in raw.weight.chunks_exact_mut(raw.inputs).zip(&mut raw.bias) {
                *bias += weights.iter().zip(&norm.bias).map(|(weight, bias)| weight * bias).sum::<f32>();
                weights.iter_mut().zip(&norm.weight).for_each(|(weight, scale)| *weight *= scale);
            }
        }
        self.pack(&raw)
    }

    fn raw(&self, name: &str, inputs: usize, outputs: usize) -> Result<RawLinear, LoadError> {
        Ok(RawLinear {
            weight: self.weights.floats(&format!("{name}.weight"), &[outputs, inputs])?,
            bias: self.weights.floats(&format!("{name}.bias"), &[outputs])?,
            inputs,
        })
    }

    fn norm(&self, name: &str) -> Result<Norm, LoadError> {
        let part = |part: &str| self.weights.floats(&format!("{name}.{part}"), &[self.dim]);
        Ok(Norm { weight: part("weight")?, bias: part("bias")?, epsilon: self.epsilon })
    }
}
