//! The encoder for CPUs: the same network as [`super::reference`], but several times faster.
//!
//! The texts of a batch are concatenated without padding, so each linear layer is one matrix product over all their
//! tokens; only attention is computed per text ([`layer`]). Weights are packed once. Query, key and value are computed
//! by one product. The last layer computes only what the first token needs ([`first`]). With int8 and bf16, the input
//! rows of every product are rounded by the preceding step, while they are in the CPU cache. A text stops at the first
//! exit that accepts it ([`stages`]).

mod build;
mod first;
mod heads;
mod layer;
mod stages;

use sentistream_kernels::{
    AttentionBuffers, Embed, Every, Format, Isa, Linear, Norm, Round, Rounded, RowRange, Rows, Target, Words,
};

use super::spec::EncoderShape;

use first::FirstToken;
use heads::Head;
use layer::{Buffers, Layer, LayerRest};
use stages::Parked;

pub use stages::{Input, Outputs, Trace};

/// An encoder of the BERT kind with its heads and exits, packed for this machine.
pub struct FusedEncoder {
    isa: Isa,
    format: Format,
    shape: EncoderShape,
    words: Words,
    positions: Vec<f32>,
    norm: Norm,
    /// All layers except the last.
    layers: Vec<Layer>,
    last: LastLayer,
    heads: Vec<Head>,
    /// The exits, in the order of their layers.
    exits: Vec<Exit>,
}

/// The last layer, which computes only the first token of each text.
struct LastLayer {
    first: FirstToken,
    rest: LayerRest,
}

/// An early exit. The layer of the exit is computed for the first token of each text. The head of the exit returns the
/// outputs of all heads of the model, and then the gate: the logit of the probability that the last layer gives the
/// same labels.
struct Exit {
    /// The index of the exit's layer, from 0.
    layer: usize,
    /// A text stops here if its gate output is above this limit.
    gate_limit: f32,
    first: FirstToken,
    head: Head,
}

/// The largest batch, in tokens, whose memory a thread keeps while it waits for work.
const KEPT_TOKENS: usize = 1_024;

/// Memory that a thread reuses for each batch. It grows with the largest batch; [`Scratch::shrink`] reduces it.
#[derive(Default)]
pub struct Scratch {
    /// The number of tokens of the largest batch since the last [`Self::shrink`].
    largest: usize,
    /// The hidden states of the current group (the texts that are computed together), with a row per token.
    tokens: Vec<f32>,
    token_rounded: Rounded,
    /// The queries, keys and values of a layer.
    attention: Vec<f32>,
    buffers: Buffers,
    first: first::Memory,
    /// The output of the first linear layer of a head.
    hidden: Vec<f32>,
    outputs: Vec<f32>,
    /// For each text of the group, the rows of its queries and the rows of its tokens.
    spans: Vec<(RowRange, RowRange)>,
    /// The texts of the group, by their index in the batch.
    group: Vec<usize>,
    attention_buffers: AttentionBuffers,
    parked: Parked,
    next: Parked,
}

impl Scratch {
    /// Releases the memory if a batch had more than 1,024 tokens.
    pub fn shrink(&mut self) {
        if self.largest > KEPT_TOKENS {
            *self = Self::default();
        }
    }
}

/// The first `len` values of a buffer. Enlarges the buffer if necessary.
fn resized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// The input rows of a matrix product, in the format of the encoder's precision.
fn pick<'a>(floats: &'a [f32], rounded: &'a Rounded, format: Format) -> Rows<'a> {
    match format {
        Format::F32 => Rows::F32(floats),
        Format::Bf16 => Rows::Bf16(&rounded.halves),
        Format::Int8 => Rows::Bytes(&rounded.bytes, &rounded.affine),
    }
}

impl FusedEncoder {
    /// The number of exits.
    pub fn exits(&self) -> usize {
        self.exits.len()
    }

    /// The destination of rounded rows; `None` with f32, for which rows are not rounded.
    fn rounded<'a>(&self, rounded: &'a mut Rounded, rows: usize, width: usize) -> Option<Target<'a>> {
        match self.format {
            Format::F32 => None,
            Format::Bf16 => Some(rounded.half_rows(rows, width)),
            Format::Int8 => Some(rounded.byte_rows(rows, width, self.isa.max_activation())),
        }
    }

    fn apply(&self, linear: &Linear, rows: Rows<'_>, out: &mut [f32]) {
        linear.apply(self.isa, (rows, Every::ROW), out);
    }

    fn round(&self, (rows, width): (&[f32], usize), rounded: &mut Rounded) {
        if let Some(to) = self.rounded(rounded, rows.len() / width, width) {
            Round { rows, width, to }.on(self.isa);
        }
    }

    /// Computes the normalised embeddings of texts and stores them as the tokens of the group.
    fn embed(&self, texts: &[&[u32]], scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let count = texts.iter().map(|text| text.len()).sum();
        Embed {
            texts,
            words: &self.words,
            positions: &self.positions,
            norm: &self.norm,
            rows: resized(&mut scratch.tokens, count * dim),
            rounded: self.rounded(&mut scratch.token_rounded, count, dim),
        }
        .on(self.isa);
    }
}

#[cfg(test)]
pub mod tests;
