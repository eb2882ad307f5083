//! The encoder as it runs on a CPU: the same network as [`super::reference`], several times
//! faster.
//!
//! Texts of a batch stand one after another without padding, so each linear layer is one product
//! over all their tokens; only attention is per text. Weights are packed once, query, key and
//! value are one product, and the last layer computes only what the first token needs
//! ([`last`]). With
//! bytes and bf16, every product reads rows that the step before has rounded while they were in
//! cache.

mod build;
mod last;

use sentistream_kernels::{
    Activate, AddNorm, Attention, Columns, Embed, Every, Form, Isa, LANES, Linear, Norm, Room, Round, Rounded, Rows,
    Sight, Span, Target, Words,
};

use last::LastLayer;

use super::layout::HeadActivation;
use super::spec::EncoderShape;

/// Tokens whose feed-forward part is computed at once: its wide rows stay in cache.
const BLOCK: usize = 96;

/// An encoder of the BERT kind with its heads, packed for this machine.
pub struct FusedEncoder {
    isa: Isa,
    form: Form,
    shape: EncoderShape,
    words: Words,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    last: LastLayer,
    heads: Vec<Head>,
    head_activation: HeadActivation,
}

struct Layer {
    /// Query (already scaled), key and value, side by side; of the last layer, the query.
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
    /// The tokens between the parts of a layer, and rounded.
    tokens: Vec<f32>,
    token_rounded: Rounded,
    attention: Vec<f32>,
    queries: Vec<f32>,
    query_rounded: Rounded,
    looks: Vec<f32>,
    mixed: Vec<f32>,
    mixed_rounded: Rounded,
    seen: Vec<f32>,
    seen_rounded: Rounded,
    wide: Vec<f32>,
    wide_rounded: Rounded,
    added: Vec<f32>,
    first: Vec<f32>,
    first_rounded: Rounded,
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
fn pick<'a>(floats: &'a [f32], rounded: &'a Rounded, form: Form) -> Rows<'a> {
    match form {
        Form::F32 => Rows::F32(floats),
        Form::Bf16 => Rows::Bf16(&rounded.halves),
        Form::Int8 => Rows::Bytes(&rounded.bytes, &rounded.affine),
    }
}

impl FusedEncoder {
    /// The outputs of all heads for each text, side by side, text after text. Ids are below the
    /// size of the vocabulary, and texts not empty and not longer than the positions.
    pub fn logits(&self, texts: &[&[u32]], scratch: &mut Scratch) -> Vec<f32> {
        if texts.is_empty() {
            return Vec::new();
        }
        self.embed(texts, scratch);
        for layer in &self.layers {
            self.whole_layer(layer, scratch);
        }
        self.last_layer(scratch);
        self.judge(texts.len(), scratch)
    }

    /// Where rows go when they are rounded, if the products want that.
    fn rounded<'a>(&self, rounded: &'a mut Rounded, rows: usize, width: usize) -> Option<Target<'a>> {
        match self.form {
            Form::F32 => None,
            Form::Bf16 => Some(rounded.half_rows(rows, width)),
            Form::Int8 => Some(rounded.byte_rows(rows, width, self.isa.max_activation())),
        }
    }

    fn apply(&self, linear: &Linear, rows: Rows<'_>, out: &mut [f32]) {
        linear.apply(self.isa, (rows, Every::ROW), out);
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
        Embed {
            texts,
            words: &self.words,
            positions: &self.positions,
            norm: &self.norm,
            rows: room(&mut scratch.tokens, start * dim),
            rounded: self.rounded(&mut scratch.token_rounded, start, dim),
        }
        .on(self.isa);
    }

    fn tokens(scratch: &Scratch) -> usize {
        scratch.spans.last().map_or(0, |(_, span)| span.start + span.len)
    }

    fn whole_layer(&self, layer: &Layer, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let count = Self::tokens(scratch);
        let Scratch {
            tokens,
            token_rounded,
            attention,
            seen,
            seen_rounded,
            wide,
            wide_rounded,
            added,
            spans,
            room: memory,
            ..
        } = scratch;
        let tokens = &mut tokens[..count * dim];

        let all = room(attention, count * 3 * dim);
        self.apply(&layer.attention, pick(tokens, token_rounded, self.form), all);
        let part = |start| Columns { values: all, stride: 3 * dim, start };
        let sight = Sight { queries: part(0), keys: part(dim), values: part(2 * dim), spans };
        let heads = self.shape.n_heads;
        let out = room(seen, count * dim);
        Attention { sight, heads, width: dim / heads, out, room: memory }.on(self.isa);

        let seen = &seen[..count * dim];
        self.round((seen, dim), seen_rounded);
        let new = room(added, count * dim);
        self.apply(&layer.out, pick(seen, seen_rounded, self.form), new);
        let rounded = self.rounded(token_rounded, count, dim);
        AddNorm { rows: tokens, added: new, norm: &layer.attention_norm, rounded }.on(self.isa);

        self.feed_forward((layer, pick(tokens, token_rounded, self.form)), (wide, wide_rounded), new);
        let rounded = self.rounded(token_rounded, count, dim);
        AddNorm { rows: tokens, added: new, norm: &layer.output_norm, rounded }.on(self.isa);
    }

    fn round(&self, (rows, width): (&[f32], usize), rounded: &mut Rounded) {
        if let Some(to) = self.rounded(rounded, rows.len() / width, width) {
            Round { rows, width, to }.on(self.isa);
        }
    }

    fn feed_forward(
        &self,
        (layer, input): (&Layer, Rows<'_>),
        (wide, wide_rounded): (&mut Vec<f32>, &mut Rounded),
        out: &mut [f32],
    ) {
        let EncoderShape { dim, hidden_dim: hidden, activation, .. } = self.shape;
        for (index, out) in out.chunks_mut(BLOCK * dim).enumerate() {
            let start = index * BLOCK;
            let count = out.len() / dim;
            let input = match input {
                Rows::Bytes(bytes, affine) => Rows::Bytes(&bytes[start * dim..][..count * dim], &affine[start..]),
                Rows::Bf16(rows) => Rows::Bf16(&rows[start * dim..][..count * dim]),
                Rows::F32(rows) => Rows::F32(&rows[start * dim..][..count * dim]),
            };
            let wide = room(wide, count * hidden);
            self.apply(&layer.widen, input, wide);
            let rounded = self.rounded(wide_rounded, count, hidden);
            Activate { rows: wide, width: hidden, activation, rounded }.on(self.isa);
            self.apply(&layer.narrow, pick(wide, wide_rounded, self.form), out);
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
            self.apply(&head.hidden, Rows::F32(first), hidden);
            self.head_activation.apply(hidden);
            let padded = head.classes.groups() * LANES;
            let out = room(&mut scratch.added, texts * padded);
            self.apply(&head.classes, Rows::F32(hidden), out);
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
