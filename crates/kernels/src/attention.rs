//! Computes attention within each text of a batch.

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::linear::ProductF32;
use super::math::exp;
use super::tiles::{each_row, for_tiles, pick};

/// The number of query rows that are computed at once. The limit keeps the scores of a long text in the CPU cache.
const QUERIES: usize = 64;
/// A value below every score.
const LEAST: f32 = -1e30;

/// A range of columns of a wider matrix.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// The values of the whole matrix, row by row.
    pub values: &'a [f32],
    /// The distance between two rows, in values.
    pub stride: usize,
    /// The first column.
    pub start: usize,
}

impl<'a> Columns<'a> {
    /// The values of a row, from `column` to the end of the matrix.
    #[inline(always)]
    fn from(&self, row: usize, column: usize) -> &'a [f32] {
        &self.values[row * self.stride + self.start + column..]
    }

    /// Sixteen values of a row, from `column`.
    #[inline(always)]
    fn row(&self, row: usize, column: usize) -> &'a [f32; LANES] {
        &self.from(row, column).as_chunks::<LANES>().0[0]
    }
}

/// The rows of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRange {
    /// The first row.
    pub start: usize,
    /// The number of rows.
    pub len: usize,
}

/// The input of attention. Queries are already scaled.
#[derive(Clone, Copy)]
pub struct QueryKeyValue<'a> {
    /// The queries of all heads, side by side.
    pub queries: Columns<'a>,
    /// The keys of all heads, side by side.
    pub keys: Columns<'a>,
    /// The values of all heads, side by side.
    pub values: Columns<'a>,
    /// For each text, its query rows and its key rows.
    pub spans: &'a [(RowRange, RowRange)],
}

/// The attention of the queries of each text to the tokens of the same text.
pub struct Attention<'a> {
    /// The queries, keys and values of all texts.
    pub input: QueryKeyValue<'a>,
    /// The number of attention heads.
    pub heads: usize,
    /// The width of a head, a multiple of [`LANES`].
    pub width: usize,
    /// The output: a row per query, with the concatenated outputs of the heads.
    pub out: &'a mut [f32],
    /// Buffers that are reused between calls.
    pub buffers: &'a mut AttentionBuffers,
}

/// Buffers for one text and one head.
#[derive(Default)]
pub struct AttentionBuffers {
    /// Transposed queries: each vector contains the same component of sixteen queries.
    queries: Vec<[f32; LANES]>,
    /// The scores, with a row per token and a column per query.
    scores: Vec<f32>,
    /// The sum of the exponentials of each query's scores.
    totals: Vec<f32>,
}

impl Attention<'_> {
    /// Computes the attention with this instruction set.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Attention<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for index in 0..self.input.spans.len() {
            let (queries, tokens) = self.input.spans[index];
            for head in 0..self.heads {
                let mut done = 0;
                while done < queries.len {
                    let some = RowRange { start: queries.start + done, len: QUERIES.min(queries.len - done) };
                    self.pack(simd, some, head);
                    self.attend(simd, (some, tokens), head);
                    done += some.len;
                }
            }
        }
    }
}

impl Attention<'_> {
    /// Transposes the queries. Lanes after the last query are zero; their results are not used.
    #[inline(always)]
    fn pack<S: Simd>(&mut self, simd: S, queries: RowRange, head: usize) {
        let Self { buffers, width, input, .. } = self;
        let groups = queries.len.div_ceil(LANES);
        buffers.queries.resize(groups * *width, [0.0; LANES]);
        for (group, columns) in buffers.queries.chunks_exact_mut(*width).enumerate() {
            let start = group * LANES;
            for (part, block) in columns.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let (there, absent) = block.split_at_mut(LANES.min(queries.len - start));
                for (lane, to) in there.iter_mut().enumerate() {
                    *to = *input.queries.row(queries.start + start + lane, head * *width + part * LANES);
                }
                absent.fill([0.0; LANES]);
                simd.transpose(block);
            }
        }
    }

    /// Computes one head. Each lane holds a query, so that softmax needs no sum over lanes and tokens need no padding.
    #[inline(always)]
    fn attend<S: Simd>(&mut self, simd: S, (queries, tokens): (RowRange, RowRange), head: usize) {
        let Self { buffers, width, heads, input, .. } = self;
        let padded = queries.len.next_multiple_of(LANES);
        buffers.scores.resize(tokens.len * padded, 0.0);
        buffers.totals.resize(padded, 0.0);
        ProductF32 {
            rows: input.keys.from(tokens.start, head * *width),
            stride: input.keys.stride,
            inputs: *width,
            weights: &buffers.queries,
            bias: None,
            out: &mut buffers.scores,
            out_stride: padded,
        }
        .run(simd);
        for (group, total) in buffers.totals.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            softmax(simd, (&mut buffers.scores, padded), (group * LANES, total));
        }
        let all = *heads * *width;
        let start = queries.start * all + head * *width;
        let end = (queries.start + queries.len - 1) * all + (head + 1) * *width;
        Mixture {
            tokens: tokens.len,
            shares: &buffers.scores,
            padded,
            totals: &buffers.totals,
            rows: input.values.from(tokens.start, head * *width),
            stride: input.values.stride,
            out: &mut self.out[start..end],
            out_stride: all,
        }
        .run(simd, (queries.len, *width / LANES));
    }
}

/// Computes the softmax of the sixteen columns from `start`, without the final division by `total`.
#[inline(always)]
fn softmax<S: Simd>(simd: S, (scores, padded): (&mut [f32], usize), (start, total): (usize, &mut [f32; LANES])) {
    let mut largest = simd.splat(LEAST);
    for row in scores.chunks_exact(padded) {
        if let Some(chunk) = row[start..].first_chunk() {
            largest = simd.max(largest, simd.load(chunk));
        }
    }
    let mut sum = simd.splat(0.0);
    for row in scores.chunks_exact_mut(padded) {
        if let Some(chunk) = row[start..].first_chunk_mut() {
            let share = exp(simd, simd.sub(simd.load(chunk), largest));
            sum = simd.add(sum, share);
            simd.store(share, chunk);
        }
    }
    simd.store(sum, total);
}

/// The average of the values of all tokens, weighted by the scores of each query.
struct Mixture<'a> {
    tokens: usize,
    /// The weights, with a row per token.
    shares: &'a [f32],
    padded: usize,
    /// The sum of the weights of each query.
    totals: &'a [f32],
    rows: &'a [f32],
    stride: usize,
    out: &'a mut [f32],
    out_stride: usize,
}

impl Mixture<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S, (queries, groups): (usize, usize)) {
        for_tiles!(self, S, simd, queries, groups);
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const G: usize>(&mut self, simd: S, (query, group): (usize, usize)) {
        let mut sums = [[simd.splat(0.0); G]; R];
        for token in 0..self.tokens {
            let shares = &self.shares[token * self.padded + query..][..R];
            let values = &self.rows[token * self.stride + group * LANES..][..G * LANES].as_chunks::<LANES>().0[..G];
            let mut value = [sums[0][0]; G];
            for g in 0..G {
                value[g] = simd.load(&values[g]);
            }
            for r in 0..R {
                let share = simd.splat(shares[r]);
                for g in 0..G {
                    sums[r][g] = simd.fma(share, value[g], sums[r][g]);
                }
            }
        }
        each_row!(r of R {
            let inverse = simd.splat(1.0 / self.totals[query + r]);
            let out = &mut self.out[(query + r) * self.out_stride + group * LANES..].as_chunks_mut::<LANES>().0[..G];
            for g in 0..G {
                simd.store(simd.mul(sums[r][g], inverse), &mut out[g]);
            }
        });
    }
}
