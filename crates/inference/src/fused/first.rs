//! A layer that computes only the first token of each text: the last layer, and the layer of an exit.
//!
//! A score is the product of a query and a key, and a key is the product of weights and a token. Therefore the query is
//! multiplied by the weights of the keys once, and the result is multiplied by the tokens. The bias of the keys adds
//! the same value to all scores of a text and has no effect on softmax, so it is omitted. In the same way, the tokens
//! are averaged first, and the weights of the values are applied to the average. The attention weights sum to 1, so the
//! bias of the values is added once. The keys and values of single tokens are not computed.

use sentistream_kernels::{Attention, Columns, Every, Linear, QueryKeyValue, Rounded, RowRange};

use super::layer::{Finish, LayerRest};
use super::{FusedEncoder, Scratch, pick, resized};

/// The number of texts whose attention is computed at once. It limits memory: each text needs a row per head.
const TEXTS: usize = 24;

/// The attention of a layer for the first token.
pub struct FirstToken {
    /// The query, already scaled.
    pub query: Linear,
    /// The weights of the keys and values of each attention head, in order.
    pub heads: Vec<HeadProjection>,
}

/// The weights of the keys and values of one attention head.
pub struct HeadProjection {
    /// The transposed weights of the keys. They map a query to the vector that tokens are multiplied by.
    pub keys: Linear,
    /// The weights and the bias of the values, applied to the average of the tokens.
    pub values: Linear,
}

/// Buffers for the layer.
#[derive(Default)]
pub struct Memory {
    /// The first token of each text.
    pub rows: Vec<f32>,
    rounded: Rounded,
    /// For each text, the rows of its tokens.
    pub texts: Vec<RowRange>,
    queries: Vec<f32>,
    query_rounded: Rounded,
    /// For each text and head, the query multiplied by the weights of the keys.
    projected: Vec<f32>,
    averages: Vec<f32>,
    average_rounded: Rounded,
    spans: Vec<(RowRange, RowRange)>,
}

impl FusedEncoder {
    /// Applies a layer to the first token of each text in `scratch.first.texts`. The result is in `scratch.first.rows`.
    pub(super) fn first_token(&self, own: &FirstToken, rest: &LayerRest, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let texts = scratch.first.texts.len();
        self.gather(scratch);
        let Memory { rows, rounded, queries, .. } = &mut scratch.first;
        self.apply(&own.query, pick(&rows[..texts * dim], rounded, self.format), resized(queries, texts * dim));
        resized(&mut scratch.buffers.attended, texts * dim);
        for start in (0..texts).step_by(TEXTS) {
            self.attend(own, RowRange { start, len: TEXTS.min(texts - start) }, scratch);
        }
        let Memory { rows, rounded, .. } = &mut scratch.first;
        let rows = &mut rows[..texts * dim];
        self.finish(rest, Finish { rows, rounded, buffers: &mut scratch.buffers, round_output: false });
    }

    /// Copies the first token of each text to `scratch.first.rows`.
    fn gather(&self, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let Memory { rows, rounded, texts, .. } = &mut scratch.first;
        for (index, (row, text)) in resized(rows, texts.len() * dim).chunks_exact_mut(dim).zip(texts.iter()).enumerate()
        {
            row.copy_from_slice(&scratch.tokens[text.start * dim..][..dim]);
            rounded.copy_rows(self.format, (index, dim), (&scratch.token_rounded, text.start, 1));
        }
    }

    /// Computes the attention of the first tokens of `texts`. Each head of a text has one query, which is applied to
    /// whole tokens.
    fn attend(&self, own: &FirstToken, texts: RowRange, scratch: &mut Scratch) {
        let (dim, heads) = (self.shape.dim, self.shape.n_heads);
        let memory = &mut scratch.first;
        let every = |first| Every { first, step: heads };
        let queries = &memory.queries[texts.start * dim..][..texts.len * dim];
        self.round((queries, dim / heads), &mut memory.query_rounded);
        let projected = resized(&mut memory.projected, texts.len * heads * dim);
        for (head, projection) in own.heads.iter().enumerate() {
            let rows = pick(queries, &memory.query_rounded, self.format);
            projection.keys.apply(self.isa, (rows, every(head)), projected);
        }
        memory.spans.clear();
        let ranges = memory.texts[texts.start..][..texts.len].iter().enumerate();
        memory.spans.extend(ranges.map(|(index, &tokens)| (RowRange { start: index * heads, len: heads }, tokens)));
        let tokens = Columns { values: &scratch.tokens, stride: dim, start: 0 };
        let queries = Columns { values: projected, stride: dim, start: 0 };
        let input = QueryKeyValue { queries, keys: tokens, values: tokens, spans: &memory.spans };
        let out = resized(&mut memory.averages, texts.len * heads * dim);
        Attention { input, heads: 1, width: dim, out, buffers: &mut scratch.attention_buffers }.on(self.isa);
        self.round((out, dim), &mut memory.average_rounded);
        let attended = &mut scratch.buffers.attended[texts.start * dim..][..texts.len * dim];
        for (head, projection) in own.heads.iter().enumerate() {
            let rows = pick(out, &memory.average_rounded, self.format);
            projection.values.apply(self.isa, (rows, every(head)), attended);
        }
    }
}
