//! The encoder as it runs on a CPU: the same network as [`super::reference`], several times
//! faster.
//!
//! Texts of a batch stand one after another without padding, so each linear layer is one product
//! over all their tokens; only attention is per text. Weights are packed once, query, key and
//! value are one product, and the last layer computes only what the first token needs. With
//! bytes, every product reads rows that the step before has rounded while they were in cache.

mod attention;
mod build;
mod linear;
mod math;
mod rows;

use std::ops::Range;

use super::layout::HeadActivation;
use super::simd::{Isa, LANES};
use super::spec::EncoderShape;

use attention::{Attention, Columns, Room, Sight, Span};
use linear::{Linear, Rows};
use rows::{Activate, AddNorm, ByteRows, Bytes, Embed, Norm, ToBytes};

pub use rows::Words;

/// Tokens whose feed-forward part is computed at once: its wide rows stay in cache.
const BLOCK: usize = 96;

/// An encoder of the BERT kind with its heads, packed for this machine.
pub struct FusedEncoder {
    isa: Isa,
    int8: bool,
    shape: EncoderShape,
    words: Words,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Vec<Head>,
    head_activation: HeadActivation,
}

struct Layer {
    /// Query (already scaled), key and value, side by side.
    attention: Linear,
    out: Linear,
    attention_norm: Norm,
    widen: Linear,
    narrow: Linear,
    output_norm: Norm,
}

struct Head {
    hidden: Linear,
    classes: Linear,
    count: usize,
}

/// Memory that a thread reuses. It grows to its largest batch.
#[derive(Default)]
pub struct Scratch {
    /// The tokens between the parts of a layer, and as bytes.
    tokens: Vec<f32>,
    token_bytes: Bytes,
    attention: Vec<f32>,
    queries: Vec<f32>,
    seen: Vec<f32>,
    seen_bytes: Bytes,
    wide: Vec<f32>,
    wide_bytes: Bytes,
    added: Vec<f32>,
    first: Vec<f32>,
    first_bytes: Bytes,
    spans: Vec<(Span, Span)>,
    room: Room,
}

/// The first `len` of a buffer that grows when it must.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

/// Rows as a linear layer of this encoder wants them.
fn pick<'a>(floats: &'a [f32], bytes: &'a Bytes, int8: bool) -> Rows<'a> {
    if int8 { Rows::Bytes(&bytes.bytes, &bytes.affine) } else { Rows::F32(floats) }
}

impl FusedEncoder {
    /// The outputs of all heads for each text, side by side, text after text. Ids are below the
    /// size of the vocabulary, and texts not empty and not longer than the positions.
    pub fn logits(&self, texts: &[&[u32]], scratch: &mut Scratch) -> Vec<f32> {
        if texts.is_empty() {
            return Vec::new();
        }
        self.embed(texts, scratch);
        let Some((last, layers)) = self.layers.split_last() else { return Vec::new() };
        for layer in layers {
            self.whole_layer(layer, scratch);
        }
        self.last_layer(last, scratch);
        self.judge(texts.len(), scratch)
    }

    fn bytes<'a>(&self, bytes: &'a mut Bytes, rows: usize, width: usize) -> Option<ByteRows<'a>> {
        self.int8.then(|| bytes.rows(rows, width, self.isa.max_activation()))
    }

    fn apply(&self, (linear, groups): (&Linear, Range<usize>), rows: Rows<'_>, out: &mut [f32]) {
        linear.apply(self.isa, (rows, groups), out);
    }

    fn embed(&self, texts: &[&[u32]], scratch: &mut Scratch) {
        let dim = self.shape.dim;
        scratch.spans.clear();
        let mut start = 0;
        for text in texts {
            let span = Span { start, len: text.len() };
            scratch.spans.push((span, span));
            start += text.len();
        }
        self.isa.run(Embed {
            texts,
            words: &self.words,
            positions: &self.positions,
            norm: &self.norm,
            rows: room(&mut scratch.tokens, start * dim),
            bytes: self.bytes(&mut scratch.token_bytes, start, dim),
        });
    }

    fn tokens(scratch: &Scratch) -> usize {
        scratch.spans.last().map_or(0, |(_, span)| span.start + span.len)
    }

    fn whole_layer(&self, layer: &Layer, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let count = Self::tokens(scratch);
        let Scratch {
            tokens,
            token_bytes,
            attention,
            seen,
            seen_bytes,
            wide,
            wide_bytes,
            added,
            spans,
            room: memory,
            ..
        } = scratch;
        let tokens = &mut tokens[..count * dim];

        let all = room(attention, count * 3 * dim);
        self.apply((&layer.attention, 0..layer.attention.groups()), pick(tokens, token_bytes, self.int8), all);
        let part = |start| Columns { values: all, stride: 3 * dim, start };
        let sight = Sight { queries: part(0), keys: part(dim), values: part(2 * dim), spans };
        self.attend(sight, room(seen, count * dim), memory);

        let seen = &seen[..count * dim];
        self.to_bytes(seen, seen_bytes);
        let new = room(added, count * dim);
        self.apply((&layer.out, 0..layer.out.groups()), pick(seen, seen_bytes, self.int8), new);
        let bytes = self.bytes(token_bytes, count, dim);
        self.isa.run(AddNorm { rows: tokens, added: new, norm: &layer.attention_norm, bytes });

        self.feed_forward((layer, pick(tokens, token_bytes, self.int8)), (wide, wide_bytes), new);
        let bytes = self.bytes(token_bytes, count, dim);
        self.isa.run(AddNorm { rows: tokens, added: new, norm: &layer.output_norm, bytes });
    }

    /// The last layer as far as the first token of each text needs it: its query, and the keys
    /// and values of all tokens.
    fn last_layer(&self, layer: &Layer, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let groups = dim / LANES;
        let count = Self::tokens(scratch);
        let Scratch {
            tokens, token_bytes, attention, queries, seen, seen_bytes, wide, wide_bytes, added, spans, ..
        } = scratch;
        let tokens = &tokens[..count * dim];
        let texts = spans.len();

        let both = room(attention, count * 2 * dim);
        self.apply((&layer.attention, groups..3 * groups), pick(tokens, token_bytes, self.int8), both);
        let first = room(&mut scratch.first, texts * dim);
        if self.int8 {
            scratch.first_bytes.rows(texts, dim, self.isa.max_activation());
        }
        for (index, (row, (query, span))) in first.chunks_exact_mut(dim).zip(spans.iter_mut()).enumerate() {
            row.copy_from_slice(&tokens[span.start * dim..][..dim]);
            *query = Span { start: index, len: 1 };
            if self.int8 {
                scratch.first_bytes.copy_row(index, (token_bytes, span.start), dim);
            }
        }
        let asked = room(queries, texts * dim);
        self.apply((&layer.attention, 0..groups), pick(first, &scratch.first_bytes, self.int8), asked);
        let part = |start| Columns { values: both, stride: 2 * dim, start };
        let asked = Columns { values: asked, stride: dim, start: 0 };
        let sight = Sight { queries: asked, keys: part(0), values: part(dim), spans };
        self.attend(sight, room(seen, texts * dim), &mut scratch.room);

        let seen = &seen[..texts * dim];
        self.to_bytes(seen, seen_bytes);
        let new = room(added, texts * dim);
        self.apply((&layer.out, 0..groups), pick(seen, seen_bytes, self.int8), new);
        let bytes = self.bytes(&mut scratch.first_bytes, texts, dim);
        self.isa.run(AddNorm { rows: first, added: new, norm: &layer.attention_norm, bytes });
        let input = pick(first, &scratch.first_bytes, self.int8);
        self.feed_forward((layer, input), (wide, wide_bytes), new);
        self.isa.run(AddNorm { rows: first, added: new, norm: &layer.output_norm, bytes: None });
    }

    fn attend(&self, sight: Sight<'_>, out: &mut [f32], room: &mut Room) {
        let heads = self.shape.n_heads;
        let width = self.shape.dim / heads;
        self.isa.run(Attention { sight, heads, width, out, room });
    }

    fn to_bytes(&self, rows: &[f32], bytes: &mut Bytes) {
        let width = self.shape.dim;
        if let Some(bytes) = self.bytes(bytes, rows.len() / width, width) {
            self.isa.run(ToBytes { rows, width, bytes });
        }
    }

    fn feed_forward(
        &self,
        (layer, input): (&Layer, Rows<'_>),
        (wide, wide_bytes): (&mut Vec<f32>, &mut Bytes),
        out: &mut [f32],
    ) {
        let EncoderShape { dim, hidden_dim: hidden, activation, .. } = self.shape;
        for (index, out) in out.chunks_mut(BLOCK * dim).enumerate() {
            let start = index * BLOCK;
            let count = out.len() / dim;
            let input = match input {
                Rows::Bytes(bytes, affine) => Rows::Bytes(&bytes[start * dim..][..count * dim], &affine[start..]),
                Rows::F32(rows) => Rows::F32(&rows[start * dim..][..count * dim]),
            };
            let wide = room(wide, count * hidden);
            self.apply((&layer.widen, 0..layer.widen.groups()), input, wide);
            let bytes = self.bytes(wide_bytes, count, hidden);
            self.isa.run(Activate { rows: wide, width: hidden, activation, bytes });
            self.apply((&layer.narrow, 0..layer.narrow.groups()), pick(wide, wide_bytes, self.int8), out);
        }
    }

    /// The heads, in floats: they are small.
    fn judge(&self, texts: usize, scratch: &mut Scratch) -> Vec<f32> {
        let dim = self.shape.dim;
        let outputs: usize = self.heads.iter().map(|head| head.count).sum();
        let mut logits = vec![0.0; texts * outputs];
        let first = &scratch.first[..texts * dim];
        let mut place = 0;
        for head in &self.heads {
            let hidden = room(&mut scratch.seen, texts * dim);
            self.apply((&head.hidden, 0..head.hidden.groups()), Rows::F32(first), hidden);
            self.head_activation.apply(hidden);
            let padded = head.classes.groups() * LANES;
            let out = room(&mut scratch.added, texts * padded);
            self.apply((&head.classes, 0..head.classes.groups()), Rows::F32(hidden), out);
            for (logits, out) in logits.chunks_exact_mut(outputs).zip(out.chunks_exact(padded)) {
                logits[place..place + head.count].copy_from_slice(&out[..head.count]);
            }
            place += head.count;
        }
        logits
    }
}

#[cfg(test)]
pub mod tests;
