//! The last layer, of which only the first token of each text is needed.
//!
//! A score is the product of a query with a key, which is a product of weights with a token. So
//! the query is multiplied with the weights of the keys once, and the result with the tokens
//! themselves; a key's bias adds the same to all scores of a text, which changes no share. In the
//! same way the tokens are mixed first, and the weights of the values are applied to the mixture:
//! shares add up to one, so its bias is added once. No key or value of a token is ever computed.

use sentistream_kernels::{AddNorm, Attention, Columns, Every, Linear, Sight, Span};

use super::{FusedEncoder, Layer, Scratch, pick, room};

/// Texts that are looked at together: what stands in between is as wide as a row per text and head.
const TEXTS: usize = 24;

pub struct LastLayer {
    pub layer: Layer,
    pub heads: Vec<Look>,
}

/// What a head looks for, and what it sees.
pub struct Look {
    /// From a query to what a token is multiplied with: the weights of the keys, transposed.
    pub keys: Linear,
    pub values: Linear,
}

impl FusedEncoder {
    /// From all tokens to the first of each text, which stand in `first` afterwards.
    pub(super) fn last_layer(&self, scratch: &mut Scratch) {
        let (dim, layer) = (self.shape.dim, &self.last.layer);
        let texts = scratch.spans.len();
        self.gather(scratch);
        let Scratch { first, first_rounded, queries, seen, .. } = scratch;
        self.apply(&layer.attention, pick(&first[..texts * dim], first_rounded, self.form), room(queries, texts * dim));
        room(seen, texts * dim);
        for start in (0..texts).step_by(TEXTS) {
            self.look((start, TEXTS.min(texts - start)), scratch);
        }

        let Scratch { first, first_rounded, seen, seen_rounded, wide, wide_rounded, added, .. } = scratch;
        let (first, seen) = (&mut first[..texts * dim], &seen[..texts * dim]);
        self.round((seen, dim), seen_rounded);
        let new = room(added, texts * dim);
        self.apply(&layer.out, pick(seen, seen_rounded, self.form), new);
        let rounded = self.rounded(first_rounded, texts, dim);
        AddNorm { rows: first, added: new, norm: &layer.attention_norm, rounded }.on(self.isa);
        self.feed_forward((layer, pick(first, first_rounded, self.form)), (wide, wide_rounded), new);
        AddNorm { rows: first, added: new, norm: &layer.output_norm, rounded: None }.on(self.isa);
    }

    /// The first token of each text, side by side.
    fn gather(&self, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let Scratch { first, first_rounded, tokens, token_rounded, spans, .. } = scratch;
        let texts = spans.len();
        let round = self.rounded(first_rounded, texts, dim).is_some();
        for (index, (row, (_, span))) in room(first, texts * dim).chunks_exact_mut(dim).zip(spans).enumerate() {
            row.copy_from_slice(&tokens[span.start * dim..][..dim]);
            if round {
                first_rounded.copy_row(index, (token_rounded, span.start), dim);
            }
        }
    }

    /// Attention of some first tokens, from `queries` to `seen`. Each head of a text is a query of
    /// its own, which looks at whole tokens.
    fn look(&self, (start, texts): (usize, usize), scratch: &mut Scratch) {
        let Scratch { tokens, queries, query_rounded, looks, mixed, mixed_rounded, seen, spans, .. } = scratch;
        let (dim, heads) = (self.shape.dim, self.shape.n_heads);
        let every = |first| Every { first, step: heads };
        let queries = &queries[start * dim..][..texts * dim];
        self.round((queries, dim / heads), query_rounded);
        let looks = room(looks, texts * heads * dim);
        for (head, look) in self.last.heads.iter().enumerate() {
            look.keys.apply(self.isa, (pick(queries, query_rounded, self.form), every(head)), looks);
        }
        let spans = &mut spans[start..][..texts];
        for (index, (query, _)) in spans.iter_mut().enumerate() {
            *query = Span { start: index * heads, len: heads };
        }
        let tokens = Columns { values: tokens, stride: dim, start: 0 };
        let sight =
            Sight { queries: Columns { values: looks, stride: dim, start: 0 }, keys: tokens, values: tokens, spans };
        let out = room(mixed, texts * heads * dim);
        Attention { sight, heads: 1, width: dim, out, room: &mut scratch.room }.on(self.isa);
        self.round((out, dim), mixed_rounded);
        let seen = &mut seen[start * dim..][..texts * dim];
        for (head, look) in self.last.heads.iter().enumerate() {
            look.values.apply(self.isa, (pick(out, mixed_rounded, self.form), every(head)), seen);
        }
    }
}
