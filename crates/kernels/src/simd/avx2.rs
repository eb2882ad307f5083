//! Implements the lanes with two 256-bit registers of AVX2 (Intel since Haswell, AMD since Excavator), and with the dot
//! products of AVX-VNNI (Intel since Alder Lake, AMD since Zen 5) if the machine supports them.
#![expect(unsafe_code, reason = "vector instructions; the portable implementation is the safe equivalent")]

use std::arch::x86_64::*;

use super::portable::Portable;
use super::{Kernel, LANES, Simd};

/// A machine with AVX2, FMA and F16C, and with AVX-VNNI as well if `VNNI` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2<const VNNI: bool>(());

impl<const VNNI: bool> Avx2<VNNI> {
    /// Detects whether this machine has the instructions.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && (!VNNI || is_x86_feature_detected!("avxvnni"));
        has.then_some(Self(()))
    }
}

impl Avx2<false> {
    /// Runs a kernel that is compiled for these instructions.
    #[inline]
    pub fn run(self, kernel: impl Kernel) {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn compiled(simd: Avx2<false>, kernel: impl Kernel) {
            kernel.run(simd);
        }
        // SAFETY: only `detect` creates `self`, so this machine has the instructions.
        unsafe { compiled(self, kernel) }
    }
}

impl Avx2<true> {
    /// Runs a kernel that is compiled for these instructions.
    #[inline]
    pub fn run(self, kernel: impl Kernel) {
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        fn compiled(simd: Avx2<true>, kernel: impl Kernel) {
            kernel.run(simd);
        }
        // SAFETY: only `detect` creates `self`, so this machine has the instructions, including AVX-VNNI.
        unsafe { compiled(self, kernel) }
    }
}

/// Two registers, which have sixteen lanes together.
#[derive(Clone, Copy)]
pub struct Pair<T>(T, T);

impl<T: Copy> Pair<T> {
    #[inline(always)]
    fn zip<U: Copy, V>(self, other: Pair<U>, f: impl Fn(T, U) -> V) -> Pair<V> {
        Pair(f(self.0, other.0), f(self.1, other.1))
    }

    #[inline(always)]
    fn map<V>(self, f: impl Fn(T) -> V) -> Pair<V> {
        Pair(f(self.0), f(self.1))
    }
}

// SAFETY of every block below: only `detect` creates a value of `Avx2`, so this machine has the instructions. Loads and
// stores are unaligned, and access only arrays of the required size.
impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type F = Pair<__m256>;
    type I = Pair<__m256i>;
    type A = __m256i;
    type W = Pair<__m256i>;
    type P = Pair<__m256>;
    type Q = Pair<__m256i>;
    const MAX_ACTIVATION: u8 = 255;
    // Without VNNI, pairs of products are summed in signed 16 bits: 2 · 255 · 64 does not overflow.
    const MAX_WEIGHT: u8 = if VNNI { 127 } else { 64 };
    const MANY_REGISTERS: bool = false;
    const LOOKS_UP: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::F {
        let value = unsafe { _mm256_set1_ps(value) };
        Pair(value, value)
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F {
        unsafe { Pair(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
    }

    #[inline(always)]
    fn store(self, value: Self::F, to: &mut [f32; LANES]) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), value.0);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), value.1);
        }
    }

    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        a.zip(b, |a, b| unsafe { _mm256_add_ps(a, b) })
    }

    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        a.zip(b, |a, b| unsafe { _mm256_sub_ps(a, b) })
    }

    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        a.zip(b, |a, b| unsafe { _mm256_mul_ps(a, b) })
    }

    #[inline(always)]
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { Pair(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
    }

    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        a.zip(b, |a, b| unsafe { _mm256_min_ps(a, b) })
    }

    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        a.zip(b, |a, b| unsafe { _mm256_max_ps(a, b) })
    }

    #[inline(always)]
    fn abs(self, value: Self::F) -> Self::F {
        value.map(|v| unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), v) })
    }

    #[inline(always)]
    fn look_up(self, table: &[f32; LANES], places: Self::F) -> Self::F {
        let lanes = Portable.look_up(table, self.spill(places));
        self.load(&lanes)
    }

    #[inline(always)]
    fn round(self, value: Self::F) -> Self::F {
        value.map(|v| unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v) })
    }

    #[inline(always)]
    fn exp2(self, value: Self::F) -> Self::F {
        value.map(|v| unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn sum(self, value: Self::F) -> f32 {
        Portable.sum(self.spill(value))
    }

    #[inline(always)]
    fn least(self, value: Self::F) -> f32 {
        Portable.least(self.spill(value))
    }

    #[inline(always)]
    fn largest(self, value: Self::F) -> f32 {
        Portable.largest(self.spill(value))
    }

    #[inline(always)]
    fn load_f16(self, from: &[u8; 2 * LANES]) -> Self::F {
        unsafe {
            let (low, high) = (_mm_loadu_si128(from.as_ptr().cast()), _mm_loadu_si128(from.as_ptr().add(16).cast()));
            Pair(_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
        }
    }

    #[inline(always)]
    fn store_bytes(self, value: Self::F, to: &mut [u8; LANES]) {
        unsafe {
            let words = value.map(|v| _mm256_cvtps_epi32(v));
            // The packing instruction works within each 128-bit part, so a permutation restores the order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(words.0, words.1));
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn transpose(self, block: &mut [[f32; LANES]; LANES]) {
        Portable.transpose(block);
    }

    #[inline(always)]
    fn zero_sums(self) -> Self::I {
        let zero = unsafe { _mm256_setzero_si256() };
        Pair(zero, zero)
    }

    #[inline(always)]
    fn load_weights(self, from: &[i8; 4 * LANES]) -> Self::W {
        unsafe { Pair(_mm256_loadu_si256(from.as_ptr().cast()), _mm256_loadu_si256(from.as_ptr().add(32).cast())) }
    }

    #[inline(always)]
    fn splat_activations(self, four: [u8; 4]) -> __m256i {
        unsafe { _mm256_set1_epi32(i32::from_le_bytes(four)) }
    }

    #[inline(always)]
    fn dot(self, sums: Self::I, activations: __m256i, weights: Self::W) -> Self::I {
        sums.zip(weights, |sums, weights| unsafe {
            if VNNI {
                return _mm256_dpbusd_avx_epi32(sums, activations, weights);
            }
            let pairs = _mm256_maddubs_epi16(activations, weights);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }

    #[inline(always)]
    fn to_floats(self, sums: Self::I) -> Self::F {
        sums.map(|sums| unsafe { _mm256_cvtepi32_ps(sums) })
    }

    #[inline(always)]
    fn store_halves(self, value: Self::F, to: &mut [u16; LANES]) {
        Portable.store_halves(self.spill(value), to);
    }

    #[inline(always)]
    fn load_half_weights(self, from: &[u16; 2 * LANES]) -> Self::Q {
        unsafe { Pair(_mm256_loadu_si256(from.as_ptr().cast()), _mm256_loadu_si256(from.as_ptr().add(16).cast())) }
    }

    #[inline(always)]
    fn splat_halves(self, two: [u16; 2]) -> Pair<__m256> {
        let [even, odd] = Portable.splat_halves(two);
        unsafe { Pair(_mm256_set1_ps(even), _mm256_set1_ps(odd)) }
    }

    #[inline(always)]
    fn dot_halves(self, sums: Self::F, activations: Pair<__m256>, weights: Self::Q) -> Self::F {
        sums.zip(weights, |sums, weights| unsafe {
            // The lower half of each lane is the value with the even index; the shift makes it a float.
            let even = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(weights));
            let odd = _mm256_castsi256_ps(_mm256_and_si256(weights, _mm256_set1_epi32(-0x1_0000)));
            _mm256_fmadd_ps(activations.1, odd, _mm256_fmadd_ps(activations.0, even, sums))
        })
    }
}

impl<const VNNI: bool> Avx2<VNNI> {
    #[inline(always)]
    fn spill(self, value: Pair<__m256>) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(value, &mut lanes);
        lanes
    }
}
