//! Attention within each text of a batch.

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::linear::ProductF32;
use super::math::exp;
use super::tiles::{each_row, for_tiles, pick};

/// Query rows that are scored at once, so that the scores of a long text stay in cache.
const QUERIES: usize = 64;
/// Below any score.
const LEAST: f32 = -1e30;

/// Rows of one kind within a wider matrix.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    pub values: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    /// The first column.
    pub start: usize,
}

impl<'a> Columns<'a> {
    /// All from a column of a row on.
    #[inline(always)]
    fn from(&self, row: usize, column: usize) -> &'a [f32] {
        &self.values[row * self.stride + self.start + column..]
    }

    /// Sixteen values of a row.
    #[inline(always)]
    fn row(&self, row: usize, column: usize) -> &'a [f32; LANES] {
        &self.from(row, column).as_chunks::<LANES>().0[0]
    }
}

/// Rows of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRange {
    pub start: usize,
    pub len: usize,
}

/// What looks at what. Queries are already scaled.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub queries: Columns<'a>,
    pub keys: Columns<'a>,
    pub values: Columns<'a>,
    /// The query rows of each text, and its key rows.
    pub spans: &'a [(RowRange, RowRange)],
}

/// Attention of every text's queries to its own tokens.
pub struct Attention<'a> {
    pub sight: Sight<'a>,
    /// Attention heads, and the width of each: a multiple of [`LANES`].
    pub heads: usize,
    pub width: usize,
    /// A row per query, head beside head.
    pub out: &'a mut [f32],
    pub room: &'a mut Room,
}

/// Memory for one text and head.
#[derive(Default)]
pub struct Room {
    /// Queries as columns: sixteen of them in the lanes, value after value.
    queries: Vec<[f32; LANES]>,
    /// A row per token, with its score for each query.
    scores: Vec<f32>,
    /// What the scores of each query add up to.
    totals: Vec<f32>,
}

impl Attention<'_> {
    /// Does it with these instructions.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Attention<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for index in 0..self.sight.spans.len() {
            let (queries, tokens) = self.sight.spans[index];
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
    /// Queries as columns. Lanes beyond the last query are zero, and their results are not read.
    #[inline(always)]
    fn pack<S: Simd>(&mut self, simd: S, queries: RowRange, head: usize) {
        let Self { room, width, sight, .. } = self;
        let groups = queries.len.div_ceil(LANES);
        room.queries.resize(groups * *width, [0.0; LANES]);
        for (group, columns) in room.queries.chunks_exact_mut(*width).enumerate() {
            let start = group * LANES;
            for (part, block) in columns.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let (there, absent) = block.split_at_mut(LANES.min(queries.len - start));
                for (lane, to) in there.iter_mut().enumerate() {
                    *to = *sight.queries.row(queries.start + start + lane, head * *width + part * LANES);
                }
                absent.fill([0.0; LANES]);
                simd.transpose(block);
            }
        }
    }

    /// Queries are in the lanes, so that softmax needs no sum over lanes, and tokens no padding.
    #[inline(always)]
    fn attend<S: Simd>(&mut self, simd: S, (queries, tokens): (RowRange, RowRange), head: usize) {
        let Self { room, width, heads, sight, .. } = self;
        let padded = queries.len.next_multiple_of(LANES);
        room.scores.resize(tokens.len * padded, 0.0);
        room.totals.resize(padded, 0.0);
        ProductF32 {
            rows: sight.keys.from(tokens.start, head * *width),
            stride: sight.keys.stride,
            inputs: *width,
            weights: &room.queries,
            bias: None,
            out: &mut room.scores,
            out_stride: padded,
        }
        .run(simd);
        for (group, total) in room.totals.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            softmax(simd, (&mut room.scores, padded), (group * LANES, total));
        }
        let all = *heads * *width;
        let start = queries.start * all + head * *width;
        let end = (queries.start + queries.len - 1) * all + (head + 1) * *width;
        Mixture {
            tokens: tokens.len,
            shares: &room.scores,
            padded,
            totals: &room.totals,
            rows: sight.values.from(tokens.start, head * *width),
            stride: sight.values.stride,
            out: &mut self.out[start..end],
            out_stride: all,
        }
        .run(simd, (queries.len, *width / LANES));
    }
}

/// Softmax down the columns from `start` on, sixteen at a time, but for the division by `total`.
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

/// The values of all tokens, mixed by each query's shares of them.
struct Mixture<'a> {
    tokens: usize,
    /// A row per token.
    shares: &'a [f32],
    padded: usize,
    /// What the shares of each query add up to.
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
