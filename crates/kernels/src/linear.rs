//! Linear layers, whose weights are packed once for the tiles of the matrix product.
//!
//! Outputs are divided into groups of sixteen, one output per lane. A tile covers a few rows and a few groups. The sums
//! of a tile stay in registers during the loop over the inputs. The rows of all texts are concatenated without padding,
//! so that one product computes a whole batch.

use half::bf16;

use crate::simd::{Isa, Kernel, LANES, Simd};

use super::math::ROUNDER;
use super::rows::Affine;
use super::tiles::{each_row, for_tiles, pick};

/// A packed linear layer.
pub struct Linear {
    weights: Packed,
    bias: Vec<[f32; LANES]>,
    inputs: usize,
}

enum Packed {
    /// Weights in f32, ordered by group of outputs, then by input.
    F32(Vec<[f32; LANES]>),
    /// Weights in bf16, ordered by group of outputs, then by pair of inputs.
    Bf16(Vec<[u16; 2 * LANES]>),
    /// Weights as bytes, ordered by group of outputs, then by four inputs.
    Int8 {
        weights: Vec<[i8; 4 * LANES]>,
        /// The scale of each output's weights.
        scales: Vec<[f32; LANES]>,
        /// The sum of each output's weights. The offset of an activation row is multiplied by this sum.
        sums: Vec<[f32; LANES]>,
    },
}

/// Weights in the layout of a model's file.
pub struct RawLinear {
    /// A matrix of outputs by inputs.
    pub weight: Vec<f32>,
    /// The bias of each output.
    pub bias: Vec<f32>,
    /// The number of inputs: the length of a row of `weight`.
    pub inputs: usize,
}

/// The rows to multiply: floats, bf16, or bytes with scale and offset.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    /// Values in f32.
    F32(&'a [f32]),
    /// The bits of values in bf16.
    Bf16(&'a [u16]),
    /// Bytes, with the scale and offset of each row.
    Bytes(&'a [u8], &'a [Affine]),
}

/// The rows that a product reads and writes: every `step`-th row, starting with `first`.
#[derive(Clone, Copy, Debug)]
pub struct Every {
    /// The index of the first row.
    pub first: usize,
    /// The distance between two rows; 1 for every row.
    pub step: usize,
}

impl Every {
    /// Every row.
    pub const ROW: Self = Self { first: 0, step: 1 };
}

impl Linear {
    /// Packs weights for products with float rows. The number of inputs must be a multiple of [`LANES`].
    pub fn f32(raw: &RawLinear) -> Self {
        let groups = raw.groups();
        let mut weights = vec![[0.0; LANES]; groups * raw.inputs];
        for (output, row) in raw.weight.chunks_exact(raw.inputs).enumerate() {
            let group = &mut weights[output / LANES * raw.inputs..][..raw.inputs];
            for (lanes, &weight) in group.iter_mut().zip(row) {
                lanes[output % LANES] = weight;
            }
        }
        Self { weights: Packed::F32(weights), bias: raw.packed_bias(), inputs: raw.inputs }
    }

    /// Rounds weights to bf16 and packs them. The number of inputs must be even.
    pub fn bf16(raw: &RawLinear) -> Self {
        let steps = raw.inputs / 2;
        let mut weights = vec![[0; 2 * LANES]; raw.groups() * steps];
        for (output, row) in raw.weight.chunks_exact(raw.inputs).enumerate() {
            let (group, lane) = (output / LANES, output % LANES);
            for (two, packed) in row.as_chunks::<2>().0.iter().zip(&mut weights[group * steps..][..steps]) {
                packed[2 * lane..][..2].copy_from_slice(&two.map(|weight| bf16::from_f32(weight).to_bits()));
            }
        }
        Self { weights: Packed::Bf16(weights), bias: raw.packed_bias(), inputs: raw.inputs }
    }

    /// Rounds weights to bytes with a scale per output, and packs them. The number of inputs must be a multiple of 4.
    /// The largest byte is the largest value for which the products of `isa` are exact.
    pub fn int8(raw: &RawLinear, isa: Isa) -> Self {
        let limit = f32::from(isa.max_weight());
        let groups = raw.groups();
        let steps = raw.inputs / 4;
        let mut weights = vec![[0i8; 4 * LANES]; groups * steps];
        let mut scales = vec![[0.0; LANES]; groups];
        let mut sums = vec![[0.0; LANES]; groups];
        for (output, row) in raw.weight.chunks_exact(raw.inputs).enumerate() {
            let largest = row.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
            let inverse = if largest > 0.0 { limit / largest } else { 0.0 };
            let (group, lane) = (output / LANES, output % LANES);
            let mut sum = 0i32;
            for (four, packed) in row.as_chunks::<4>().0.iter().zip(&mut weights[group * steps..][..steps]) {
                for (i, weight) in four.iter().enumerate() {
                    // Adding and subtracting 1.5 · 2²³ rounds to the nearest integer, and is fast on every machine, in
                    // contrast to a rounding instruction.
                    let rounded = (weight * inverse + ROUNDER - ROUNDER) as i8;
                    packed[4 * lane + i] = rounded;
                    sum += i32::from(rounded);
                }
            }
            scales[group][lane] = largest / limit;
            sums[group][lane] = sum as f32 * (largest / limit);
        }
        Self { weights: Packed::Int8 { weights, scales, sums }, bias: raw.packed_bias(), inputs: raw.inputs }
    }

    /// The number of groups of sixteen outputs.
    pub fn groups(&self) -> usize {
        self.bias.len()
    }

    /// Computes `out` = `rows` × weights + bias for the rows that `every` selects. The other rows of `out` do not
    /// change.
    ///
    /// # Panics
    /// When the format of the rows differs from that of the weights, or a length does not match.
    pub fn apply(&self, isa: Isa, (rows, every): (Rows<'_>, Every), out: &mut [f32]) {
        let (inputs, outputs) = (self.inputs, self.groups() * LANES);
        let Every { first, step } = every;
        let out = &mut out[first * outputs..];
        let (stride, out_stride) = (step * inputs, step * outputs);
        match (rows, &self.weights) {
            (Rows::F32(rows), Packed::F32(weights)) => isa.run(ProductF32 {
                rows: &rows[first * inputs..],
                stride,
                inputs,
                weights,
                bias: Some(&self.bias),
                out,
                out_stride,
            }),
            (Rows::Bf16(rows), Packed::Bf16(weights)) => isa.run(ProductBf16 {
                rows: rows[first * inputs..].as_chunks::<2>().0,
                stride: stride / 2,
                steps: inputs / 2,
                weights,
                bias: &self.bias,
                out,
                out_stride,
            }),
            (Rows::Bytes(rows, affine), Packed::Int8 { weights, scales, sums }) => isa.run(ProductInt8 {
                rows: rows[first * inputs..].as_chunks::<4>().0,
                affine: &affine[first..],
                every: step,
                steps: inputs / 4,
                weights,
                scales,
                sums,
                bias: &self.bias,
                out,
            }),
            _ => panic!("rows and weights have different formats"),
        }
    }
}

impl RawLinear {
    fn groups(&self) -> usize {
        self.bias.len().div_ceil(LANES)
    }

    fn packed_bias(&self) -> Vec<[f32; LANES]> {
        let mut bias = vec![[0.0; LANES]; self.groups()];
        bias.as_flattened_mut()[..self.bias.len()].copy_from_slice(&self.bias);
        bias
    }
}

/// A product of float rows with packed floats.
pub(crate) struct ProductF32<'a> {
    /// The rows to multiply.
    pub rows: &'a [f32],
    /// The distance between two rows.
    pub stride: usize,
    /// The number of values of a row that are used.
    pub inputs: usize,
    /// The packed weights, ordered by group of outputs, then by input.
    pub weights: &'a [[f32; LANES]],
    /// The bias of each group of outputs. `None`: no bias.
    pub bias: Option<&'a [[f32; LANES]]>,
    /// The output, row by row.
    pub out: &'a mut [f32],
    /// The distance between two rows of `out`.
    pub out_stride: usize,
}

impl Kernel for ProductF32<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let groups = self.weights.len() / self.inputs;
        let rows = self.out.len().div_ceil(self.out_stride);
        for_tiles!(self, S, simd, rows, groups);
    }
}

impl ProductF32<'_> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const G: usize>(&mut self, simd: S, (row, group): (usize, usize)) {
        let inputs = self.inputs;
        let rows: [&[f32]; R] = std::array::from_fn(|r| &self.rows[(row + r) * self.stride..][..inputs]);
        let weights: [&[[f32; LANES]]; G] = std::array::from_fn(|g| &self.weights[(group + g) * inputs..][..inputs]);
        let mut start = [simd.splat(0.0); G];
        if let Some(bias) = self.bias {
            for (start, bias) in start.iter_mut().zip(&bias[group..]) {
                *start = simd.load(bias);
            }
        }
        let mut sums = [start; R];
        for input in 0..inputs {
            let mut weight = [start[0]; G];
            for g in 0..G {
                weight[g] = simd.load(&weights[g][input]);
            }
            for r in 0..R {
                let value = simd.splat(rows[r][input]);
                for g in 0..G {
                    sums[r][g] = simd.fma(value, weight[g], sums[r][g]);
                }
            }
        }
        each_row!(r of R {
            let out = &mut self.out[(row + r) * self.out_stride + group * LANES..].as_chunks_mut::<LANES>().0[..G];
            for g in 0..G {
                simd.store(sums[r][g], &mut out[g]);
            }
        });
    }
}

/// A product of rows in bf16 with packed weights in bf16.
struct ProductBf16<'a> {
    /// The rows, each as pairs of inputs.
    rows: &'a [[u16; 2]],
    /// The distance between two rows.
    stride: usize,
    steps: usize,
    weights: &'a [[u16; 2 * LANES]],
    bias: &'a [[f32; LANES]],
    out: &'a mut [f32],
    out_stride: usize,
}

impl Kernel for ProductBf16<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let rows = self.out.len().div_ceil(self.out_stride);
        for_tiles!(self, S, simd, rows, self.bias.len());
    }
}

impl ProductBf16<'_> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const G: usize>(&mut self, simd: S, (row, group): (usize, usize)) {
        let steps = self.steps;
        let rows: [&[[u16; 2]]; R] = std::array::from_fn(|r| &self.rows[(row + r) * self.stride..][..steps]);
        let weights: [&[[u16; 2 * LANES]]; G] = std::array::from_fn(|g| &self.weights[(group + g) * steps..][..steps]);
        let mut start = [simd.splat(0.0); G];
        for (start, bias) in start.iter_mut().zip(&self.bias[group..]) {
            *start = simd.load(bias);
        }
        let mut sums = [start; R];
        for step in 0..steps {
            let mut weight = [simd.load_half_weights(&weights[0][step]); G];
            for g in 1..G {
                weight[g] = simd.load_half_weights(&weights[g][step]);
            }
            for r in 0..R {
                let two = simd.splat_halves(rows[r][step]);
                for g in 0..G {
                    sums[r][g] = simd.dot_halves(sums[r][g], two, weight[g]);
                }
            }
        }
        each_row!(r of R {
            let out = &mut self.out[(row + r) * self.out_stride + group * LANES..].as_chunks_mut::<LANES>().0[..G];
            for g in 0..G {
                simd.store(sums[r][g], &mut out[g]);
            }
        });
    }
}

/// A product of byte rows with packed bytes.
struct ProductInt8<'a> {
    /// The rows, in parts of four inputs.
    rows: &'a [[u8; 4]],
    affine: &'a [Affine],
    /// The distance between two rows that are read and written, in rows.
    every: usize,
    steps: usize,
    weights: &'a [[i8; 4 * LANES]],
    scales: &'a [[f32; LANES]],
    sums: &'a [[f32; LANES]],
    bias: &'a [[f32; LANES]],
    out: &'a mut [f32],
}

impl Kernel for ProductInt8<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let groups = self.bias.len();
        let rows = self.out.len().div_ceil(self.every * groups * LANES);
        for_tiles!(self, S, simd, rows, groups);
    }
}

impl ProductInt8<'_> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const G: usize>(&mut self, simd: S, (row, group): (usize, usize)) {
        let steps = self.steps;
        let rows: [&[[u8; 4]]; R] = std::array::from_fn(|r| &self.rows[(row + r) * self.every * steps..][..steps]);
        let weights: [&[[i8; 4 * LANES]]; G] = std::array::from_fn(|g| &self.weights[(group + g) * steps..][..steps]);
        let mut sums = [[simd.zero_sums(); G]; R];
        for step in 0..steps {
            let mut weight = [simd.load_weights(&weights[0][step]); G];
            for g in 1..G {
                weight[g] = simd.load_weights(&weights[g][step]);
            }
            for r in 0..R {
                let four = simd.splat_activations(rows[r][step]);
                for g in 0..G {
                    sums[r][g] = simd.dot(sums[r][g], four, weight[g]);
                }
            }
        }
        let outputs = group..group + G;
        let (scales, offsets) = (&self.scales[outputs.clone()][..G], &self.sums[outputs.clone()][..G]);
        let bias = &self.bias[outputs][..G];
        let width = self.bias.len() * LANES;
        each_row!(r of R {
            let place = (row + r) * self.every;
            let Affine { scale, offset } = self.affine[place];
            let (scale, offset) = (simd.splat(scale), simd.splat(offset));
            let out = &mut self.out[place * width + group * LANES..].as_chunks_mut::<LANES>().0[..G];
            for g in 0..G {
                let fixed = simd.fma(offset, simd.load(&offsets[g]), simd.load(&bias[g]));
                let product = simd.mul(simd.to_floats(sums[r][g]), simd.load(&scales[g]));
                simd.store(simd.fma(product, scale, fixed), &mut out[g]);
            }
        });
    }
}
