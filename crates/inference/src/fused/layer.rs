//! A layer for all tokens, and the part of a layer after its attention.

use sentistream_kernels::{Activate, AddNorm, Attention, Columns, Linear, Norm, QueryKeyValue, Rounded, Rows};

use super::{FusedEncoder, Scratch, pick, resized};

/// The number of tokens whose feed-forward part is computed at once. The limit keeps its wide rows in the CPU cache.
const BLOCK: usize = 96;

/// A layer for all tokens.
pub struct Layer {
    /// The projection to the query (already scaled), the key and the value, side by side.
    pub attention: Linear,
    /// The part after the attention.
    pub rest: LayerRest,
}

/// The part of a layer after its attention.
pub struct LayerRest {
    /// The output projection of the attention.
    pub out: Linear,
    /// The normalisation after the attention.
    pub attention_norm: Norm,
    /// The first layer of the feed-forward part, from the width of a token to the hidden width.
    pub widen: Linear,
    /// The second layer of the feed-forward part, back to the width of a token.
    pub narrow: Linear,
    /// The normalisation after the feed-forward part, which gives the output of the layer.
    pub output_norm: Norm,
}

/// Buffers for the part of a layer after its attention.
#[derive(Default)]
pub struct Buffers {
    /// The output of the attention.
    pub attended: Vec<f32>,
    attended_rounded: Rounded,
    wide: Vec<f32>,
    wide_rounded: Rounded,
    added: Vec<f32>,
}

/// The input, the output and the buffers of the part of a layer after its attention.
pub struct Finish<'a> {
    /// The input of the layer, which is replaced by its output.
    pub rows: &'a mut [f32],
    /// The rounded form of `rows`, in the format of the next product.
    pub rounded: &'a mut Rounded,
    /// The buffers. `attended` must contain the output of the attention for each row.
    pub buffers: &'a mut Buffers,
    /// Whether to round the output, because another layer follows.
    pub round_output: bool,
}

impl FusedEncoder {
    /// Applies a layer to all tokens of the group.
    pub(super) fn whole_layer(&self, layer: &Layer, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let count = scratch.spans.last().map_or(0, |(_, tokens)| tokens.start + tokens.len);
        let Scratch { tokens, token_rounded, attention, buffers, spans, attention_buffers: memory, .. } = scratch;
        let rows = &mut tokens[..count * dim];

        let all = resized(attention, count * 3 * dim);
        self.apply(&layer.attention, pick(rows, token_rounded, self.format), all);
        let part = |start| Columns { values: all, stride: 3 * dim, start };
        let input = QueryKeyValue { queries: part(0), keys: part(dim), values: part(2 * dim), spans };
        let heads = self.shape.n_heads;
        let out = resized(&mut buffers.attended, count * dim);
        Attention { input, heads, width: dim / heads, out, buffers: memory }.on(self.isa);

        self.finish(&layer.rest, Finish { rows, rounded: token_rounded, buffers, round_output: true });
    }

    /// Applies the output projection and the feed-forward part. The result of each is added to the rows, which are then
    /// normalised.
    pub(super) fn finish(&self, rest: &LayerRest, finish: Finish<'_>) {
        let Finish { rows, rounded, buffers, round_output } = finish;
        let dim = self.shape.dim;
        let count = rows.len() / dim;
        let Buffers { attended, attended_rounded, wide, wide_rounded, added } = buffers;

        let attended = &attended[..rows.len()];
        self.round((attended, dim), attended_rounded);
        let new = resized(added, rows.len());
        self.apply(&rest.out, pick(attended, attended_rounded, self.format), new);
        let target = self.rounded(rounded, count, dim);
        AddNorm { rows, added: new, norm: &rest.attention_norm, rounded: target }.on(self.isa);

        let input = pick(rows, rounded, self.format);
        for (index, out) in new.chunks_mut(BLOCK * dim).enumerate() {
            let start = index * BLOCK;
            let count = out.len() / dim;
            let input = match input {
                Rows::Bytes(bytes, affine) => Rows::Bytes(&bytes[start * dim..][..count * dim], &affine[start..]),
                Rows::Bf16(rows) => Rows::Bf16(&rows[start * dim..][..count * dim]),
                Rows::F32(rows) => Rows::F32(&rows[start * dim..][..count * dim]),
            };
            self.feed_forward(rest, input, (out, wide, wide_rounded));
        }
        let target = if round_output { self.rounded(rounded, count, dim) } else { None };
        AddNorm { rows, added: new, norm: &rest.output_norm, rounded: target }.on(self.isa);
    }

    fn feed_forward(
        &self,
        rest: &LayerRest,
        input: Rows<'_>,
        (out, wide, wide_rounded): (&mut [f32], &mut Vec<f32>, &mut Rounded),
    ) {
        let (hidden, activation) = (self.shape.hidden_dim, self.shape.activation);
        let count = out.len() / self.shape.dim;
        let wide = resized(wide, count * hidden);
        self.apply(&rest.widen, input, wide);
        let rounded = self.rounded(wide_rounded, count, hidden);
        Activate { rows: wide, width: hidden, activation, rounded }.on(self.isa);
        self.apply(&rest.narrow, pick(wide, wide_rounded, self.format), out);
    }
}
