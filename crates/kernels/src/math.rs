//! Mathematical functions of vectors.

use crate::simd::{LANES, Simd};

/// 1.5 · 2²³. Adding it to a small number rounds that number to the nearest integer.
pub const ROUNDER: f32 = 12_582_912.0;

/// The required accuracy of GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// An error of at most 5e-6 · max(1, |x|).
    Exact,
    /// An error of at most 2e-4 · max(1, |x|), for values that are rounded to a byte or to bf16 afterwards.
    Rounded,
}

/// The normal distribution function is approximated by ½ + x·P(u) with u = 2x²/c² − 1, for x within ±c. These are the
/// coefficients of P, starting with the constant. They minimise the maximum error of x·P.
const EXACT_LIMIT: f32 = 5.0;
const EXACT: [f32; 12] = [
    0.141_363_75,
    -0.070_298_23,
    0.051_525_4,
    -0.040_391_985,
    0.031_356_72,
    -0.023_624_942,
    0.016_910_158,
    -0.010_165_485,
    0.005_113_237,
    -0.003_886_830_8,
    0.003_194_472_8,
    -0.001_096_374_5,
];
const ROUNDED_LIMIT: f32 = 4.0;
const ROUNDED: [f32; 8] = [
    0.175_947_76,
    -0.084_357_47,
    0.056_050_81,
    -0.036_495_38,
    0.021_621_704,
    -0.013_259_978,
    0.008_211_286,
    -0.002_729_015_4,
];

/// The width of the pieces in which GELU(x) − max(x, 0) is approximated. This difference depends only on |x|. Each of
/// the sixteen pieces is a parabola around a multiple of `WIDTH` through the Chebyshev nodes; [`PIECES`] has the
/// constant, linear and square coefficients. The error is at most 8e-5. Above the last piece the difference is about
/// zero.
const WIDTH: f32 = 0.26;
const PIECES: [[f32; LANES]; 3] = [
    [
        -8.875_903e-7,
        -0.000_713_794_55,
        -0.012_108_076,
        -0.053_199_317,
        -0.134_013_22,
        -0.242_551_52,
        -0.347_856_82,
        -0.416_259_32,
        -0.428_548_07,
        -0.387_130_9,
        -0.311_001_93,
        -0.224_317_25,
        -0.146_290_18,
        -0.086_724_38,
        -0.046_929_233,
        -0.023_256_81,
    ],
    [
        -0.499_881_65,
        -0.491_388_1,
        -0.434_754_25,
        -0.309_203_7,
        -0.131_554_02,
        0.054_662_988,
        0.202_875_6,
        0.284_670_23,
        0.297_847_27,
        0.260_641_13,
        0.199_049_95,
        0.135_475_6,
        0.083_177_58,
        0.046_426_658,
        0.023_684_127,
        0.011_085_284,
    ],
    [
        0.397_050_83,
        0.371_929_23,
        0.300_975_47,
        0.204_759_66,
        0.106_964_36,
        0.027_011_247,
        -0.025_173_329,
        -0.049_635_07,
        -0.053_162_165,
        -0.044_804_465,
        -0.032_344_233,
        -0.020_685_736,
        -0.011_921_142,
        -0.006_251_771,
        -0.003_002_142_5,
        -0.001_325_665_6,
    ],
];

/// `x` times the normal distribution function of `x`.
#[inline(always)]
pub fn gelu<S: Simd>(simd: S, x: S::F, closeness: Closeness) -> S::F {
    match closeness {
        Closeness::Rounded if S::LOOKS_UP => gelu_by_pieces(simd, x),
        Closeness::Exact => gelu_by(simd, x, EXACT_LIMIT, &EXACT),
        Closeness::Rounded => gelu_by(simd, x, ROUNDED_LIMIT, &ROUNDED),
    }
}

#[inline(always)]
fn gelu_by<S: Simd>(simd: S, x: S::F, limit: f32, coefficients: &[f32]) -> S::F {
    let bound = simd.max(simd.min(x, simd.splat(limit)), simd.splat(-limit));
    let u = simd.fma(simd.mul(bound, bound), simd.splat(2.0 / (limit * limit)), simd.splat(-1.0));
    let share = simd.fma(bound, polynomial(simd, u, coefficients), simd.splat(0.5));
    simd.mul(x, share)
}

#[inline(always)]
fn gelu_by_pieces<S: Simd>(simd: S, x: S::F) -> S::F {
    let size = simd.min(simd.abs(x), simd.splat(15.49 * WIDTH));
    // The lowest bits of the sum contain the integer nearest to `size / WIDTH`, which is the index of the piece.
    let piece = simd.fma(size, simd.splat(1.0 / WIDTH), simd.splat(ROUNDER));
    let [constant, linear, square] = [0, 1, 2].map(|power| simd.look_up(&PIECES[power], piece));
    let below = simd.fma(simd.fma(square, size, linear), size, constant);
    simd.add(simd.max(x, simd.splat(0.0)), below)
}

/// The exponential function, for values up to 88. Values below -87 give the result of -87.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::F) -> S::F {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// The Taylor coefficients 1/n!. The result is accurate to a few units in the last place within ± ln 2 / 2.
    const TAYLOR: [f32; 7] = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0];
    let x = simd.max(x, simd.splat(-87.0));
    let power = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    let rest = simd.fma(power, simd.splat(-LN2_HIGH), x);
    let rest = simd.fma(power, simd.splat(-LN2_LOW), rest);
    simd.mul(polynomial(simd, rest, &TAYLOR), simd.exp2(power))
}

#[inline(always)]
fn polynomial<S: Simd>(simd: S, x: S::F, coefficients: &[f32]) -> S::F {
    let mut sum = simd.splat(0.0);
    for &coefficient in coefficients.iter().rev() {
        sum = simd.fma(sum, x, simd.splat(coefficient));
    }
    sum
}
