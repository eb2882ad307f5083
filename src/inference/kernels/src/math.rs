//! Functions of lanes.

use crate::simd::Simd;

/// How close GELU has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closeness {
    /// Within 5e-6.
    Exact,
    /// Within 2e-4 of values that are rounded to a byte or to bf16 afterwards.
    Rounded,
}

/// The normal distribution function is ½ + x·P(u), u = 2x²/c² − 1, for x within ±c. These are the
/// coefficients of P from the constant on: least maximal error of x·P, fitted in double precision.
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

/// `x` times the normal distribution function of `x`.
#[inline(always)]
pub fn gelu<S: Simd>(simd: S, x: S::F, closeness: Closeness) -> S::F {
    match closeness {
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

/// The exponential function of lanes that are not above 88.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::F) -> S::F {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// 1/n!, good to a few units in the last place within ± ln 2 / 2.
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
