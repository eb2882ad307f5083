//! Operations on rows between the matrix products: rounding, activation, normalisation and embedding. Each operation
//! completes a row before the next one, so that the row stays in the L1 cache.

use serde::Deserialize;

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::format::Format;
use super::math::{Closeness, gelu};

/// Rows that are rounded for the next matrix product.
#[derive(Default)]
pub struct Rounded {
    /// The rows as bytes. A value is approximately `scale * byte + offset`.
    pub bytes: Vec<u8>,
    /// The scale and offset of each row of `bytes`.
    pub affine: Vec<Affine>,
    /// The rows in bf16.
    pub halves: Vec<u16>,
}

/// The scale and offset of the bytes of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Affine {
    /// The difference of two values whose bytes differ by one.
    pub scale: f32,
    /// The value that the byte 0 represents.
    pub offset: f32,
}

/// The destination of rounded rows.
pub enum Target<'a> {
    /// Bytes with a scale and offset per row.
    Bytes {
        /// The bytes, row by row.
        bytes: &'a mut [u8],
        /// The scale and offset of each row.
        affine: &'a mut [Affine],
        /// The largest byte to use.
        max: u8,
    },
    /// The bits of values in bf16.
    Halves(&'a mut [u16]),
}

impl Rounded {
    /// Returns space for rows of bytes. The caller overwrites the earlier content.
    pub fn byte_rows(&mut self, rows: usize, width: usize, max: u8) -> Target<'_> {
        if self.bytes.len() < rows * width {
            self.bytes.resize(rows * width, 0);
        }
        if self.affine.len() < rows {
            self.affine.resize(rows, Affine::default());
        }
        Target::Bytes { bytes: &mut self.bytes[..rows * width], affine: &mut self.affine[..rows], max }
    }

    /// Returns space for rows of bf16. The caller overwrites the earlier content.
    pub fn half_rows(&mut self, rows: usize, width: usize) -> Target<'_> {
        if self.halves.len() < rows * width {
            self.halves.resize(rows * width, 0);
        }
        Target::Halves(&mut self.halves[..rows * width])
    }

    /// Copies `count` rows of another buffer, starting at `from`, to the rows starting at `to`. Does nothing for the
    /// format f32, whose rows are not rounded.
    pub fn copy_rows(
        &mut self,
        format: Format,
        (to, width): (usize, usize),
        (other, from, count): (&Self, usize, usize),
    ) {
        let (here, there) = (to * width..(to + count) * width, from * width..(from + count) * width);
        match format {
            Format::F32 => {}
            Format::Bf16 => {
                if self.halves.len() < here.end {
                    self.halves.resize(here.end, 0);
                }
                self.halves[here].copy_from_slice(&other.halves[there]);
            }
            Format::Int8 => {
                if self.bytes.len() < here.end {
                    self.bytes.resize(here.end, 0);
                }
                if self.affine.len() < to + count {
                    self.affine.resize(to + count, Affine::default());
                }
                self.bytes[here].copy_from_slice(&other.bytes[there]);
                self.affine[to..to + count].copy_from_slice(&other.affine[from..from + count]);
            }
        }
    }
}

/// The smallest and the largest value so far, per lane.
#[derive(Clone, Copy)]
struct Extremes<S: Simd> {
    least: S::F,
    largest: S::F,
}

impl<S: Simd> Extremes<S> {
    #[inline(always)]
    fn none(simd: S) -> Self {
        Self { least: simd.splat(f32::INFINITY), largest: simd.splat(f32::NEG_INFINITY) }
    }

    #[inline(always)]
    fn with(self, simd: S, value: S::F) -> Self {
        Self { least: simd.min(self.least, value), largest: simd.max(self.largest, value) }
    }
}

impl Target<'_> {
    /// Rounds a row whose smallest and largest values are known.
    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, row: usize, (values, extremes): (&[f32], Extremes<S>)) {
        let width = values.len();
        let values = values.as_chunks::<LANES>().0;
        match self {
            Self::Bytes { bytes, affine, max } => {
                let (least, largest) = (simd.least(extremes.least), simd.largest(extremes.largest));
                let range = largest - least;
                let max = f32::from(*max);
                let steps = simd.splat(if range > 0.0 { max / range } else { 0.0 });
                let offset = simd.splat(least);
                let bytes = bytes[row * width..][..width].as_chunks_mut::<LANES>().0;
                for (chunk, bytes) in values.iter().zip(bytes) {
                    // The byte of the largest value is `max`, with an error of less than half a step.
                    simd.store_bytes(simd.mul(simd.sub(simd.load(chunk), offset), steps), bytes);
                }
                affine[row] = Affine { scale: range / max, offset: least };
            }
            Self::Halves(halves) => {
                let halves = halves[row * width..][..width].as_chunks_mut::<LANES>().0;
                for (chunk, halves) in values.iter().zip(halves) {
                    simd.store_halves(simd.load(chunk), halves);
                }
            }
        }
    }
}

/// Rounds rows.
pub struct Round<'a> {
    /// The rows to round, one after the other.
    pub rows: &'a [f32],
    /// The number of values in a row.
    pub width: usize,
    /// The destination of the rounded rows.
    pub to: Target<'a>,
}

impl Round<'_> {
    /// Runs the operation with this instruction set.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Round<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for (index, row) in self.rows.chunks_exact(self.width).enumerate() {
            let mut extremes = Extremes::none(simd);
            for chunk in row.as_chunks::<LANES>().0 {
                extremes = extremes.with(simd, simd.load(chunk));
            }
            self.to.write(simd, index, (row, extremes));
        }
    }
}

/// The activation of the feed-forward part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// GELU, computed with the error function.
    #[default]
    Gelu,
    /// ReLU: the larger of the value and zero.
    Relu,
}

/// Applies the activation to rows in place, and optionally rounds them.
pub struct Activate<'a> {
    /// The rows, which are replaced by the result.
    pub rows: &'a mut [f32],
    /// The number of values in a row.
    pub width: usize,
    /// The function that is applied to each value.
    pub activation: Activation,
    /// The destination of the rounded result. `None`: the result is not rounded.
    pub rounded: Option<Target<'a>>,
}

impl Activate<'_> {
    /// Runs the operation with this instruction set.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Activate<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let closeness = if self.rounded.is_some() { Closeness::Rounded } else { Closeness::Exact };
        for (index, row) in self.rows.chunks_exact_mut(self.width).enumerate() {
            let mut extremes = Extremes::none(simd);
            for chunk in row.as_chunks_mut::<LANES>().0 {
                let value = simd.load(chunk);
                let active = match self.activation {
                    Activation::Gelu => gelu(simd, value, closeness),
                    Activation::Relu => simd.max(value, simd.splat(0.0)),
                };
                extremes = extremes.with(simd, active);
                simd.store(active, chunk);
            }
            if let Some(rounded) = &mut self.rounded {
                rounded.write(simd, index, (row, extremes));
            }
        }
    }
}

/// The weights of a layer normalisation.
pub struct Norm {
    /// The factor of each value of a row; its length is the width of a row.
    pub weight: Vec<f32>,
    /// The term that is added to each value after the multiplication by `weight`.
    pub bias: Vec<f32>,
    /// The value that is added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Normalises a row. The rounded row is computed before weight and bias are applied: with a few large weights,
    /// rounding would be too coarse for the other values. Weight and bias are merged into the weights of the next layer
    /// instead.
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, index: usize, (row, rounded): (&mut [f32], &mut Option<Target<'_>>)) {
        let share = 1.0 / row.len() as f32;
        let chunks = row.as_chunks_mut::<LANES>().0;
        // Four independent sums hide the latency of an addition.
        let (fours, rest) = chunks.as_chunks::<4>();
        let mut sums = [simd.splat(0.0); 4];
        for four in fours {
            for place in 0..4 {
                sums[place] = simd.add(sums[place], simd.load(&four[place]));
            }
        }
        for chunk in rest {
            sums[0] = simd.add(sums[0], simd.load(chunk));
        }
        let mean = simd.splat(total(simd, sums) * share);
        let mut squares = [simd.splat(0.0); 4];
        for four in fours {
            for place in 0..4 {
                let away = simd.sub(simd.load(&four[place]), mean);
                squares[place] = simd.fma(away, away, squares[place]);
            }
        }
        for chunk in rest {
            let away = simd.sub(simd.load(chunk), mean);
            squares[0] = simd.fma(away, away, squares[0]);
        }
        let inverse = simd.splat(1.0 / (total(simd, squares) * share + self.epsilon).sqrt());
        let mut extremes = Extremes::none(simd);
        for chunk in chunks.iter_mut() {
            let value = simd.mul(simd.sub(simd.load(chunk), mean), inverse);
            extremes = extremes.with(simd, value);
            simd.store(value, chunk);
        }
        if let Some(rounded) = rounded {
            rounded.write(simd, index, (row, extremes));
        }
        let weights = self.weight.as_chunks::<LANES>().0.iter().zip(self.bias.as_chunks::<LANES>().0);
        for (chunk, (weight, bias)) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(weights) {
            simd.store(simd.fma(simd.load(chunk), simd.load(weight), simd.load(bias)), chunk);
        }
    }
}

#[inline(always)]
fn total<S: Simd>(simd: S, [a, b, c, d]: [S::F; 4]) -> f32 {
    simd.sum(simd.add(simd.add(a, b), simd.add(c, d)))
}

/// Adds `added` to `rows`, normalises them, and optionally rounds them.
pub struct AddNorm<'a> {
    /// The rows, which are replaced by the result.
    pub rows: &'a mut [f32],
    /// The rows to add, of the same shape.
    pub added: &'a [f32],
    /// The normalisation of the sums.
    pub norm: &'a Norm,
    /// The destination of the rounded rows, without weight and bias of `norm`. `None`: the rows are not rounded.
    pub rounded: Option<Target<'a>>,
}

impl AddNorm<'_> {
    /// Runs the operation with this instruction set.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for AddNorm<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let width = self.norm.weight.len();
        for (index, (row, added)) in self.rows.chunks_exact_mut(width).zip(self.added.chunks_exact(width)).enumerate() {
            for (chunk, added) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(added.as_chunks::<LANES>().0) {
                simd.store(simd.add(simd.load(chunk), simd.load(added)), chunk);
            }
            self.norm.apply(simd, index, (row, &mut self.rounded));
        }
    }
}

/// The word embeddings, in the format of the file. They are by far the largest weights.
pub enum Words {
    /// Half precision, little-endian.
    F16(std::borrow::Cow<'static, [u8]>),
    /// Single precision.
    F32(Vec<f32>),
}

/// Converts token ids to normalised rows, text by text, and optionally rounds them.
pub struct Embed<'a> {
    /// The token ids of each text.
    pub texts: &'a [&'a [u32]],
    /// The embedding of each token id.
    pub words: &'a Words,
    /// The embedding of each position, row by row.
    pub positions: &'a [f32],
    /// The normalisation of the sums of both embeddings.
    pub norm: &'a Norm,
    /// The output: a row per token, text by text.
    pub rows: &'a mut [f32],
    /// The destination of the rounded rows, without weight and bias of `norm`. `None`: the rows are not rounded.
    pub rounded: Option<Target<'a>>,
}

impl Embed<'_> {
    /// Runs the operation with this instruction set.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Embed<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let width = self.norm.weight.len();
        let tokens = self.texts.iter().flat_map(|ids| ids.iter().enumerate());
        for (index, (row, (place, &id))) in self.rows.chunks_exact_mut(width).zip(tokens).enumerate() {
            let position = &self.positions[place * width..][..width];
            let sums = row.as_chunks_mut::<LANES>().0.iter_mut().zip(position.as_chunks::<LANES>().0);
            let start = id as usize * width;
            match self.words {
                Words::F16(bytes) => {
                    let word = bytes[2 * start..][..2 * width].as_chunks::<{ 2 * LANES }>().0;
                    for ((chunk, position), word) in sums.zip(word) {
                        simd.store(simd.add(simd.load_f16(word), simd.load(position)), chunk);
                    }
                }
                Words::F32(words) => {
                    let word = words[start..][..width].as_chunks::<LANES>().0;
                    for ((chunk, position), word) in sums.zip(word) {
                        simd.store(simd.add(simd.load(word), simd.load(position)), chunk);
                    }
                }
            }
            self.norm.apply(simd, index, (row, &mut self.rounded));
        }
    }
}
