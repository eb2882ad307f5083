//! Implements the lanes with one 512-bit register and the dot products of VNNI (Intel since Cascade Lake, AMD since
//! Zen 4), and with products of bf16 (Intel since Cooper Lake, AMD since Zen 4) if the machine supports them.
#![expect(unsafe_code, reason = "vector instructions; the portable implementation is the safe equivalent")]

use std::arch::x86_64::*;

use super::{Kernel, LANES, Simd};

/// A machine with AVX-512 F, BW, DQ, VL and VNNI, and with BF16 as well if `BF16` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512<const BF16: bool>(());

impl<const BF16: bool> Avx512<BF16> {
    /// Detects whether this machine has the instructions.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && (!BF16 || is_x86_feature_detected!("avx512bf16"));
        has.then_some(Self(()))
    }
}

impl Avx512<false> {
    /// Runs a kernel that is compiled for these instructions.
    #[inline]
    pub fn run(self, kernel: impl Kernel) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        fn compiled(simd: Avx512<false>, kernel: impl Kernel) {
            kernel.run(simd);
        }
        // SAFETY: only `detect` creates `self`, so this machine has the AVX-512 instructions, which imply AVX2, FMA and
        // F16C.
        unsafe { compiled(self, kernel) }
    }
}

impl Avx512<true> {
    /// Runs a kernel that is compiled for these instructions.
    #[inline]
    pub fn run(self, kernel: impl Kernel) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c")]
        fn compiled(simd: Avx512<true>, kernel: impl Kernel) {
            kernel.run(simd);
        }
        // SAFETY: only `detect` creates `self`, so this machine has the instructions, including BF16.
        unsafe { compiled(self, kernel) }
    }
}

// SAFETY of every block below: only `detect` creates a value of `Avx512`, so this machine has the instructions. Loads
// and stores are unaligned, and access only arrays of the required size.
impl<const BF16: bool> Simd for Avx512<BF16> {
    type F = __m512;
    type I = __m512i;
    type A = __m512i;
    type W = __m512i;
    type P = __m512i;
    type Q = __m512i;
    const MAX_ACTIVATION: u8 = 255;
    const MAX_WEIGHT: u8 = 127;
    const MANY_REGISTERS: bool = true;
    const LOOKS_UP: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, value: __m512, to: &mut [f32; LANES]) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), value) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn abs(self, value: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(value) }
    }

    #[inline(always)]
    fn look_up(self, table: &[f32; LANES], places: __m512) -> __m512 {
        unsafe { _mm512_permutexvar_ps(_mm512_castps_si512(places), _mm512_loadu_ps(table.as_ptr())) }
    }

    #[inline(always)]
    fn round(self, value: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(value) }
    }

    #[inline(always)]
    fn exp2(self, value: __m512) -> __m512 {
        unsafe { _mm512_scalef_ps(_mm512_set1_ps(1.0), value) }
    }

    #[inline(always)]
    fn sum(self, value: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(value) }
    }

    #[inline(always)]
    fn least(self, value: __m512) -> f32 {
        unsafe { _mm512_reduce_min_ps(value) }
    }

    #[inline(always)]
    fn largest(self, value: __m512) -> f32 {
        unsafe { _mm512_reduce_max_ps(value) }
    }

    #[inline(always)]
    fn load_f16(self, from: &[u8; 2 * LANES]) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store_bytes(self, value: __m512, to: &mut [u8; LANES]) {
        unsafe {
            let bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epu32(value));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn transpose(self, block: &mut [[f32; LANES]; LANES]) {
        unsafe {
            let mut rows = [_mm512_setzero_ps(); 16];
            for (row, from) in rows.iter_mut().zip(block.iter()) {
                *row = _mm512_loadu_ps(from.as_ptr());
            }
            // First, blocks of 4 × 4 are transposed within each 128-bit part.
            let mut quad = rows;
            for q in [0, 4, 8, 12] {
                let low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[q], rows[q + 1]));
                let high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[q], rows[q + 1]));
                let next_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[q + 2], rows[q + 3]));
                let next_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[q + 2], rows[q + 3]));
                quad[q] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, next_low));
                quad[q + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, next_low));
                quad[q + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, next_high));
                quad[q + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, next_high));
            }
            // Then the 128-bit parts are transposed.
            for column in 0..4 {
                let rows = [quad[column], quad[4 + column], quad[8 + column], quad[12 + column]];
                let low = _mm512_shuffle_f32x4::<0b10_00_10_00>(rows[0], rows[1]);
                let high = _mm512_shuffle_f32x4::<0b10_00_10_00>(rows[2], rows[3]);
                let low_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(rows[0], rows[1]);
                let high_odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(rows[2], rows[3]);
                let out = [
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(low, high),
                    _mm512_shuffle_f32x4::<0b10_00_10_00>(low_odd, high_odd),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(low, high),
                    _mm512_shuffle_f32x4::<0b11_01_11_01>(low_odd, high_odd),
                ];
                for (part, value) in out.into_iter().enumerate() {
                    _mm512_storeu_ps(block[4 * part + column].as_mut_ptr(), value);
                }
            }
        }
    }

    #[inline(always)]
    fn zero_sums(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn load_weights(self, from: &[i8; 4 * LANES]) -> __m512i {
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat_activations(self, four: [u8; 4]) -> __m512i {
        unsafe { _mm512_set1_epi32(i32::from_le_bytes(four)) }
    }

    #[inline(always)]
    fn dot(self, sums: __m512i, activations: __m512i, weights: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, activations, weights) }
    }

    #[inline(always)]
    fn to_floats(self, sums: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(sums) }
    }

    #[inline(always)]
    fn store_halves(self, value: __m512, to: &mut [u16; LANES]) {
        unsafe {
            let bits = _mm512_castps_si512(value);
            // Adds half of the last remaining place, minus one if this place is even, so that ties are rounded to even.
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            let halves = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), halves);
        }
    }

    #[inline(always)]
    fn load_half_weights(self, from: &[u16; 2 * LANES]) -> __m512i {
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn splat_halves(self, [even, odd]: [u16; 2]) -> __m512i {
        unsafe { _mm512_set1_epi32((u32::from(even) | u32::from(odd) << 16).cast_signed()) }
    }

    #[inline(always)]
    fn dot_halves(self, sums: __m512, activations: __m512i, weights: __m512i) -> __m512 {
        unsafe {
            if BF16 {
                // SAFETY: both types are 32 values of 16 bits.
                let halves = |bits| std::mem::transmute::<__m512i, __m512bh>(bits);
                return _mm512_dpbf16_ps(sums, halves(activations), halves(weights));
            }
            // The lower half of each lane is the value with the even index; the shift makes it a float.
            let even = |halves| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves));
            let odd = |halves| _mm512_castsi512_ps(_mm512_and_si512(halves, _mm512_set1_epi32(-0x1_0000)));
            let sums = _mm512_fmadd_ps(even(activations), even(weights), sums);
            _mm512_fmadd_ps(odd(activations), odd(weights), sums)
        }
    }
}
