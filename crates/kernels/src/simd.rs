//! Vectors of sixteen lanes on every instruction set.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each instruction set. The instruction set is
//! selected when the model is loaded. The implementation in [`portable`] is plain Rust. It is the fallback, and the
//! reference with which tests compare all other implementations. All `unsafe` vector code is in the folder of this
//! module.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod peak;
mod portable;

use std::fmt;

pub use peak::peak;

/// The number of lanes of a vector.
pub const LANES: usize = 16;

/// The vectors of an instruction set. A value of the implementing type proves that
/// this machine supports the instruction set.
pub(crate) trait Simd: Copy {
    /// Sixteen floats.
    type F: Copy;
    /// Sixteen 32-bit integers, for sums of products.
    type I: Copy;
    /// Four bytes of an activation row, repeated in every lane.
    type A: Copy;
    /// Four weights for each of the sixteen lanes.
    type W: Copy;
    /// Two bf16 values of an activation row, repeated in every lane.
    type P: Copy;
    /// Two bf16 weights for each of the sixteen lanes.
    type Q: Copy;
    /// The largest byte of an activation for which [`Self::dot`] is exact.
    const MAX_ACTIVATION: u8;
    /// The largest byte of a weight for which [`Self::dot`] is exact.
    const MAX_WEIGHT: u8;
    /// Whether there are enough registers for a tile of 6 × 64 sums (otherwise 4 × 16).
    const MANY_REGISTERS: bool;
    /// Whether [`Self::look_up`] is a single instruction.
    const LOOKS_UP: bool;

    fn splat(self, value: f32) -> Self::F;
    fn load(self, from: &[f32; LANES]) -> Self::F;
    fn store(self, value: Self::F, to: &mut [f32; LANES]);
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// Computes `a * b + c`. Whether the product is rounded before the addition depends on the machine.
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    fn abs(self, value: Self::F) -> Self::F;
    /// For each lane, the value of `table` at the index in the lowest four bits of the lane.
    fn look_up(self, table: &[f32; LANES], places: Self::F) -> Self::F;
    /// Rounds each lane to the nearest integer, ties to even.
    fn round(self, value: Self::F) -> Self::F;
    /// Two to the power of each lane, which must be an integer from -126 to 127.
    fn exp2(self, value: Self::F) -> Self::F;
    fn sum(self, value: Self::F) -> f32;
    fn least(self, value: Self::F) -> f32;
    fn largest(self, value: Self::F) -> f32;
    /// Loads sixteen half-precision numbers, little-endian.
    fn load_f16(self, from: &[u8; 2 * LANES]) -> Self::F;
    /// Rounds lanes from 0 to 255 to bytes, ties to even.
    fn store_bytes(self, value: Self::F, to: &mut [u8; LANES]);
    /// Transposes a matrix of 16 × 16 values in place.
    fn transpose(self, block: &mut [[f32; LANES]; LANES]);

    fn zero_sums(self) -> Self::I;
    fn load_weights(self, from: &[i8; 4 * LANES]) -> Self::W;
    fn splat_activations(self, four: [u8; 4]) -> Self::A;
    /// Adds to each lane the dot product of the four activations and the lane's four weights. Exact for activations up
    /// to [`Self::MAX_ACTIVATION`] and weights within ±[`Self::MAX_WEIGHT`].
    fn dot(self, sums: Self::I, activations: Self::A, weights: Self::W) -> Self::I;
    fn to_floats(self, sums: Self::I) -> Self::F;

    /// Rounds lanes to bf16, ties to even.
    fn store_halves(self, value: Self::F, to: &mut [u16; LANES]);
    fn load_half_weights(self, from: &[u16; 2 * LANES]) -> Self::Q;
    fn splat_halves(self, two: [u16; 2]) -> Self::P;
    /// Adds to each lane the dot product of the two activations and the lane's two weights. Numbers below 2⁻¹²⁶ may be
    /// treated as zero.
    fn dot_halves(self, sums: Self::F, activations: Self::P, weights: Self::Q) -> Self::F;
}

/// A computation that is generic over the instruction set. `run` must be `#[inline(always)]`, so that it is compiled
/// for the instruction set that it is dispatched to.
pub(crate) trait Kernel {
    fn run<S: Simd>(self, simd: S);
}

/// An instruction set that this machine supports. Values are created only after its detection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2<false>),
    /// AVX2 with dot products of bytes.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(avx2::Avx2<true>),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512<false>),
    /// AVX-512 with dot products of bf16.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(avx512::Avx512<true>),
}

impl Isa {
    /// All instruction sets of this machine, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "only x86-64 has more"))]
        let mut sets = vec![Self(Set::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(avx2::Avx2::<false>::detect().map(|token| Self(Set::Avx2(token))));
            sets.extend(avx2::Avx2::<true>::detect().map(|token| Self(Set::AvxVnni(token))));
            sets.extend(avx512::Avx512::<false>::detect().map(|token| Self(Set::Avx512(token))));
            sets.extend(avx512::Avx512::<true>::detect().map(|token| Self(Set::Avx512Bf16(token))));
        }
        sets
    }

    /// The instruction set with this name ([`Self::name`]), if this machine supports it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// The name of the instruction set in the settings.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni(_) => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16(_) => "avx512-bf16",
        }
    }

    /// The fastest instruction set of this machine.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self(Set::Portable))
    }

    /// Whether kernels with this instruction set are faster than Candle.
    pub fn is_fast(self) -> bool {
        cfg!(target_arch = "aarch64") || self.0 != Set::Portable
    }

    /// Whether the instruction set has dot products of bf16, which are twice as fast as products of floats.
    pub fn has_halves(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Set::Avx512Bf16(_));
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The largest byte of an activation for which integer products are exact.
    pub fn max_activation(self) -> u8 {
        match self.0 {
            Set::Portable => portable::Portable::MAX_ACTIVATION,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => avx2::Avx2::<false>::MAX_ACTIVATION,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni(_) => avx2::Avx2::<true>::MAX_ACTIVATION,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => avx512::Avx512::<false>::MAX_ACTIVATION,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16(_) => avx512::Avx512::<true>::MAX_ACTIVATION,
        }
    }

    /// The largest byte of a weight for which integer products are exact.
    pub fn max_weight(self) -> u8 {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => avx2::Avx2::<false>::MAX_WEIGHT,
            _ => portable::Portable::MAX_WEIGHT,
        }
    }

    /// Runs a kernel with this instruction set.
    #[inline]
    pub(crate) fn run(self, kernel: impl Kernel) {
        match self.0 {
            Set::Portable => kernel.run(portable::Portable),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16(token) => token.run(kernel),
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
