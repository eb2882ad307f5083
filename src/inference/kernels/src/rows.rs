//! What is done to rows between the matrix products: rounding, activation,
//! normalisation, embedding. Each passes once over a row while it is in the nearest cache.

use serde::Deserialize;

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::math::{Closeness, gelu};

/// Rows rounded for the next product.
#[derive(Default)]
pub struct Rounded {
    /// With bytes: a value is about `scale * byte + offset`.
    pub bytes: Vec<u8>,
    pub affine: Vec<Affine>,
    /// With bf16.
    pub halves: Vec<u16>,
}

/// What the bytes of a row mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Affine {
    pub scale: f32,
    pub offset: f32,
}

/// Where rows go when they are rounded.
pub enum Target<'a> {
    Bytes {
        bytes: &'a mut [u8],
        affine: &'a mut [Affine],
        /// The largest byte to use.
        max: u8,
    },
    Halves(&'a mut [u16]),
}

impl Rounded {
    /// Room for rows of bytes, whatever stood there before.
    pub fn byte_rows(&mut self, rows: usize, width: usize, max: u8) -> Target<'_> {
        if self.bytes.len() < rows * width {
            self.bytes.resize(rows * width, 0);
        }
        if self.affine.len() < rows {
            self.affine.resize(rows, Affine::default());
        }
        Target::Bytes { bytes: &mut self.bytes[..rows * width], affine: &mut self.affine[..rows], max }
    }

    /// Room for rows of bf16, whatever stood there before.
    pub fn half_rows(&mut self, rows: usize, width: usize) -> Target<'_> {
        if self.halves.len() < rows * width {
            self.halves.resize(rows * width, 0);
        }
        Target::Halves(&mut self.halves[..rows * width])
    }

    /// Another row, as row `to` of these.
    pub fn copy_row(&mut self, to: usize, (other, from): (&Self, usize), width: usize) {
        if other.halves.is_empty() {
            self.bytes[to * width..][..width].copy_from_slice(&other.bytes[from * width..][..width]);
            self.affine[to] = other.affine[from];
        } else {
            self.halves[to * width..][..width].copy_from_slice(&other.halves[from * width..][..width]);
        }
    }
}

impl Target<'_> {
    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, row: usize, values: &[f32]) {
        let width = values.len();
        let values = values.as_chunks::<LANES>().0;
        match self {
            Self::Bytes { bytes, affine, max } => {
                affine[row] = to_bytes(simd, *max, (values, &mut bytes[row * width..][..width]));
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

#[inline(always)]
fn to_bytes<S: Simd>(simd: S, max: u8, (values, bytes): (&[[f32; LANES]], &mut [u8])) -> Affine {
    let (mut least, mut largest) = (simd.load(&values[0]), simd.load(&values[0]));
    for chunk in &values[1..] {
        let chunk = simd.load(chunk);
        least = simd.min(least, chunk);
        largest = simd.max(largest, chunk);
    }
    let (least, largest) = (simd.least(least), simd.largest(largest));
    let range = largest - least;
    let max = f32::from(max);
    let steps = simd.splat(if range > 0.0 { max / range } else { 0.0 });
    let (offset, top) = (simd.splat(least), simd.splat(max));
    for (chunk, bytes) in values.iter().zip(bytes.as_chunks_mut::<LANES>().0) {
        let step = simd.mul(simd.sub(simd.load(chunk), offset), steps);
        simd.store_bytes(simd.min(step, top), bytes);
    }
    Affine { scale: range / max, offset: least }
}

/// Rounds rows.
pub struct Round<'a> {
    pub rows: &'a [f32],
    pub width: usize,
    pub to: Target<'a>,
}

impl Round<'_> {
    /// Does it with these instructions.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Round<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for (index, row) in self.rows.chunks_exact(self.width).enumerate() {
            self.to.write(simd, index, row);
        }
    }
}

/// The activation of the feed-forward part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// GELU, by the error function.
    #[default]
    Gelu,
    /// The larger of the value and zero.
    Relu,
}

/// Applies the activation to rows in place, and rounds them where asked.
pub struct Activate<'a> {
    pub rows: &'a mut [f32],
    pub width: usize,
    pub activation: Activation,
    pub rounded: Option<Target<'a>>,
}

impl Activate<'_> {
    /// Does it with these instructions.
    pub fn on(self, isa: Isa) {
        isa.run(self);
    }
}

impl Kernel for Activate<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let closeness = if self.rounded.is_some() { Closeness::Rounded } else { Closeness::Exact };
        for (index, row) in self.rows.chunks_exact_mut(self.width).enumerate() {
            for chunk in row.as_chunks_mut::<LANES>().0 {
                let value = simd.load(chunk);
                let active = match self.activation {
                    Activation::Gelu => gelu(simd, value, closeness),
                    Activation::Relu => simd.max(value, simd.splat(0.0)),
                };
                simd.store(active, chunk);
            }
            if let Some(rounded) = &mut self.rounded {
                rounded.write(simd, index, row);
            }
        }
    }
}

/// Weights of a layer normalisation.
pub struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    /// What is added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Normalises a row. It is rounded before weight and bias, which the next
    /// layer has in its own weights: a few large weights would leave few steps for the rest.
    #[inline(always)]
    fn apply<S: Simd>(&self, simd: S, index: usize, (row, rounded): (&mut [f32], &mut Option<Target<'_>>)) {
        let share = 1.0 / row.len() as f32;
        let chunks = row.as_chunks_mut::<LANES>().0;
        let mut sum = simd.splat(0.0);
        for chunk in chunks.iter() {
            sum = simd.add(sum, simd.load(chunk));
        }
        let mean = simd.splat(simd.sum(sum) * share);
        let mut squares = simd.splat(0.0);
        for chunk in chunks.iter() {
            let away = simd.sub(simd.load(chunk), mean);
            squares = simd.fma(away, away, squares);
        }
        let inverse = simd.splat(1.0 / (simd.sum(squares) * share + self.epsilon).sqrt());
        for chunk in chunks.iter_mut() {
            simd.store(simd.mul(simd.sub(simd.load(chunk), mean), inverse), chunk);
        }
        if let Some(rounded) = rounded {
            rounded.write(simd, index, row);
        }
        let weights = self.weight.as_chunks::<LANES>().0.iter().zip(self.bias.as_chunks::<LANES>().0);
        for (chunk, (weight, bias)) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(weights) {
            simd.store(simd.fma(simd.load(chunk), simd.load(weight), simd.load(bias)), chunk);
        }
    }
}

/// Adds `added` to `rows` and normalises them, rounded as well where asked.
pub struct AddNorm<'a> {
    pub rows: &'a mut [f32],
    pub added: &'a [f32],
    pub norm: &'a Norm,
    pub rounded: Option<Target<'a>>,
}

impl AddNorm<'_> {
    /// Does it with these instructions.
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

/// The embeddings of words: the largest weights by far, kept as the model's file has them.
pub enum Words {
    /// Half precision, little-endian.
    F16(std::borrow::Cow<'static, [u8]>),
    F32(Vec<f32>),
}

/// Turns ids into normalised rows, text after text, rounded as well where asked.
pub struct Embed<'a> {
    pub texts: &'a [&'a [u32]],
    pub words: &'a Words,
    pub positions: &'a [f32],
    pub norm: &'a Norm,
    pub rows: &'a mut [f32],
    pub rounded: Option<Target<'a>>,
}

impl Embed<'_> {
    /// Does it with these instructions.
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
