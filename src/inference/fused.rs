//! The encoder as it runs on a CPU: the same network as [`super::reference`], several times
//! faster.
//!
//! Texts of a batch stand one after another without padding, so each linear layer is one product
//! over all their tokens; only attention is per text. Weights are packed once, query, key and
//! value are one product, and the last layer computes only what the first token needs. With
//! bytes and bf16, every product reads rows that the step before has rounded while they were in
//! cache.

mod build;

use std::ops::Range;

use sentistream_kernels::{
    Activate, AddNorm, Attention, Columns, Embed, Form, Isa, LANES, Linear, Norm, Room, Round, Rounded, Rows, Sight,
    Span, Target, Words,
};

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
    /// The tokens between the parts of a layer, and rounded.
    tokens: Vec<f32>,
    token_rounded: Rounded,
    attention: Vec<f32>,
    queries: Vec<f32>,
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
        let Some((last, layers)) = self.layers.split_last() else { return Vec::new() };
        for layer in layers {
            self.whole_layer(layer, scratch);
        }
        self.last_layer(last, scratch);
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
        self.apply((&layer.attention, 0..layer.attention.groups()), pick(tokens, token_rounded, self.form), all);
        let part = |start| Columns { values: all, stride: 3 * dim, start };
        let sight = Sight { queries: part(0), keys: part(dim), values: part(2 * dim), spans };
        self.attend(sight, room(seen, count * dim), memory);

        let seen = &seen[..count * dim];
        self.round(seen, seen_rounded);
        let new = room(added, count * dim);
        self.apply((&layer.out, 0..layer.out.groups()), pick(seen, seen_rounded, self.form), new);
        let rounded = self.rounded(token_rounded, count, dim);
        AddNorm { rows: tokens, added: new, norm: &layer.attention_norm, rounded }.on(self.isa);

        self.feed_forward((layer, pick(tokens, token_rounded, self.form)), (wide, wide_rounded), new);
        let rounded = self.rounded(token_rounded, count, dim);
        AddNorm { rows: tokens, added: new, norm: &layer.output_norm, rounded }.on(self.isa);
    }

    /// The last layer as far as the first token of each text needs it: its query, and the keys
    /// and values of all tokens.
    fn last_layer(&self, layer: &Layer, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let groups = dim / LANES;
        let count = Self::tokens(scratch);
        let Scratch {
            tokens,
            token_rounded,
            attention,
            queries,
            seen,
            seen_rounded,
            wide,
            wide_rounded,
            added,
            spans,
            ..
        } = scratch;
        let tokens = &tokens[..count * dim];
        let texts = spans.len();

        let both = room(attention, count * 2 * dim);
        self.apply((&layer.attention, groups..3 * groups), pick(tokens, token_rounded, self.form), both);
        let first = room(&mut scratch.first, texts * dim);
        let round = self.rounded(&mut scratch.first_rounded, texts, dim).is_some();
        for (index, (row, (query, span))) in first.chunks_exact_mut(dim).zip(spans.iter_mut()).enumerate() {
            row.copy_from_slice(&tokens[span.start * dim..][..dim]);
            *query = Span { start: index, len: 1 };
            if round {
                scratch.first_rounded.copy_row(index, (token_rounded, span.start), dim);
            }
        }
        let asked = room(queries, texts * dim);
        self.apply((&layer.attention, 0..groups), pick(first, &scratch.first_rounded, self.form), asked);
        let part = |start| Columns { values: both, stride: 2 * dim, start };
        let asked = Columns { values: asked, stride: dim, start: 0 };
        let sight = Sight { queries: asked, keys: part(0), values: part(dim), spans };
        self.attend(sight, room(seen, texts * dim), &mut scratch.room);

        let seen = &seen[..texts * dim];
        self.round(seen, seen_rounded);
        let new = room(added, texts * dim);
        self.apply((&layer.out, 0..groups), pick(seen, seen_rounded, self.form), new);
        let rounded = self.rounded(&mut scratch.first_rounded, texts, dim);
        AddNorm { rows: first, added: new, norm: &layer.attention_norm, rounded }.on(self.isa);
        let input = pick(first, &scratch.first_rounded, self.form);
        self.feed_forward((layer, input), (wide, wide_rounded), new);
        AddNorm { rows: first, added: new, norm: &layer.output_norm, rounded: None }.on(self.isa);
    }

    fn attend(&self, sight: Sight<'_>, out: &mut [f32], room: &mut Room) {
        let heads = self.shape.n_heads;
        let width = self.shape.dim / heads;
        Attention { sight, heads, width, out, room }.on(self.isa);
    }

    fn round(&self, rows: &[f32], rounded: &mut Rounded) {
        let width = self.shape.dim;
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
            self.apply((&layer.widen, 0..layer.widen.groups()), input, wide);
            let rounded = self.rounded(wide_rounded, count, hidden);
            Activate { rows: wide, width: hidden, activation, rounded }.on(self.isa);
            self.apply((&layer.narrow, 0..layer.narrow.groups()), pick(wide, wide_rounded, self.form), out);
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
