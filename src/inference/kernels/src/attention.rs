//! Attention within each text of a batch.

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::linear::ProductF32;
use super::math::exp;

/// Query rows that are scored at once, so that the scores of a long text stay in cache.
const QUERIES: usize = 48;
/// Stands for the score of a token that is not there.
const ABSENT: f32 = -1e30;

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
    /// Sixteen values of a row.
    #[inline(always)]
    fn row(&self, row: usize, column: usize) -> &'a [f32] {
        &self.values[row * self.stride + self.start + column..][..LANES]
    }
}

/// Rows of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
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
    pub spans: &'a [(Span, Span)],
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
    keys: Vec<[f32; LANES]>,
    values: Vec<[f32; LANES]>,
    scores: Vec<f32>,
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
                self.pack(simd, tokens, head);
                let mut done = 0;
                while done < queries.len {
                    let some = Span { start: queries.start + done, len: QUERIES.min(queries.len - done) };
                    self.attend(simd, some, (tokens.len, head));
                    done += some.len;
                }
            }
        }
    }
}

impl Attention<'_> {
    /// Keys as columns of sixteen tokens, values as rows of sixteen lanes.
    #[inline(always)]
    fn pack<S: Simd>(&mut self, simd: S, tokens: Span, head: usize) {
        let Self { room, width, .. } = self;
        let groups = tokens.len.div_ceil(LANES);
        room.keys.resize(groups * *width, [0.0; LANES]);
        room.values.resize(*width / LANES * tokens.len, [0.0; LANES]);
        for part in 0..*width / LANES {
            for group in 0..groups {
                let block = &mut room.keys[group * *width + part * LANES..][..LANES];
                let Ok(block) = <&mut [[f32; LANES]; LANES]>::try_from(block) else { return };
                for (lane, to) in block.iter_mut().enumerate() {
                    let token = group * LANES + lane;
                    if token < tokens.len {
                        to.copy_from_slice(self.sight.keys.row(tokens.start + token, head * *width + part * LANES));
                    } else {
                        *to = [0.0; LANES];
                    }
                }
                simd.transpose(block);
            }
            for (token, to) in room.values[part * tokens.len..][..tokens.len].iter_mut().enumerate() {
                to.copy_from_slice(self.sight.values.row(tokens.start + token, head * *width + part * LANES));
            }
        }
    }

    #[inline(always)]
    fn attend<S: Simd>(&mut self, simd: S, queries: Span, (tokens, head): (usize, usize)) {
        let Self { room, width, heads, .. } = self;
        let padded = tokens.next_multiple_of(LANES);
        room.scores.resize(queries.len * padded, 0.0);
        let from = &self.sight.queries;
        ProductF32 {
            rows: &from.values[queries.start * from.stride + from.start + head * *width..],
            stride: from.stride,
            inputs: *width,
            weights: &room.keys,
            bias: None,
            out: &mut room.scores,
            out_stride: padded,
        }
        .run(simd);
        for scores in room.scores.chunks_exact_mut(padded) {
            scores[tokens..].fill(ABSENT);
            softmax(simd, scores.as_chunks_mut::<LANES>().0);
        }
        let all = *heads * *width;
        let start = queries.start * all + head * *width;
        let end = (queries.start + queries.len - 1) * all + (head + 1) * *width;
        ProductF32 {
            rows: &room.scores,
            stride: padded,
            inputs: tokens,
            weights: &room.values,
            bias: None,
            out: &mut self.out[start..end],
            out_stride: all,
        }
        .run(simd);
    }
}

#[inline(always)]
fn softmax<S: Simd>(simd: S, scores: &mut [[f32; LANES]]) {
    let mut largest = simd.splat(ABSENT);
    for chunk in scores.iter() {
        largest = simd.max(largest, simd.load(chunk));
    }
    let largest = simd.splat(simd.largest(largest));
    let mut sum = simd.splat(0.0);
    for chunk in scores.iter_mut() {
        let share = exp(simd, simd.sub(simd.load(chunk), largest));
        sum = simd.add(sum, share);
        simd.store(share, chunk);
    }
    let inverse = simd.splat(1.0 / simd.sum(sum));
    for chunk in scores {
        simd.store(simd.mul(simd.load(chunk), inverse), chunk);
    }
}
