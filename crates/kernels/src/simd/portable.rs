//! Implements the vectors in plain Rust.

use half::{bf16, f16};

use super::{LANES, Simd};

/// Vectors for any machine. On aarch64 the compiler vectorises these loops with NEON, which every such CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portable;

type Floats = [f32; LANES];

#[inline(always)]
fn map(a: Floats, f: impl Fn(f32) -> f32) -> Floats {
    std::array::from_fn(|i| f(a[i]))
}

#[inline(always)]
fn zip(a: Floats, b: Floats, f: impl Fn(f32, f32) -> f32) -> Floats {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Portable {
    type F = Floats;
    type I = [i32; LANES];
    type A = [u8; 4];
    type W = [i8; 4 * LANES];
    type P = [f32; 2];
    type Q = [Floats; 2];
    const MAX_ACTIVATION: u8 = 255;
    const MAX_WEIGHT: u8 = 127;
    const MANY_REGISTERS: bool = false;
    const LOOKS_UP: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> Floats {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &Floats) -> Floats {
        *from
    }

    #[inline(always)]
    fn store(self, value: Floats, to: &mut Floats) {
        *to = value;
    }

    #[inline(always)]
    fn add(self, a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn fma(self, a: Floats, b: Floats, c: Floats) -> Floats {
        // On machines without an instruction for it, `mul_add` would call the C library, which is slow.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }

    #[inline(always)]
    fn min(self, a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn abs(self, value: Floats) -> Floats {
        map(value, f32::abs)
    }

    #[inline(always)]
    fn look_up(self, table: &Floats, places: Floats) -> Floats {
        map(places, |place| table[(place.to_bits() % 16) as usize])
    }

    #[inline(always)]
    fn round(self, value: Floats) -> Floats {
        map(value, f32::round_ties_even)
    }

    #[inline(always)]
    fn exp2(self, value: Floats) -> Floats {
        map(value, |v| f32::from_bits((v as i32).wrapping_add(127).cast_unsigned() << 23))
    }

    #[inline(always)]
    fn sum(self, value: Floats) -> f32 {
        value.iter().sum()
    }

    #[inline(always)]
    fn least(self, value: Floats) -> f32 {
        value.into_iter().fold(f32::INFINITY, f32::min)
    }

    #[inline(always)]
    fn largest(self, value: Floats) -> f32 {
        value.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    fn load_f16(self, from: &[u8; 2 * LANES]) -> Floats {
        std::array::from_fn(|i| f16::from_le_bytes([from[2 * i], from[2 * i + 1]]).to_f32())
    }

    #[inline(always)]
    fn store_bytes(self, value: Floats, to: &mut [u8; LANES]) {
        *to = std::array::from_fn(|i| value[i].round_ties_even() as u8);
    }

    #[inline(always)]
    fn transpose(self, block: &mut [Floats; LANES]) {
        let rows = *block;
        *block = std::array::from_fn(|row| std::array::from_fn(|column| rows[column][row]));
    }

    #[inline(always)]
    fn zero_sums(self) -> [i32; LANES] {
        [0; LANES]
    }

    #[inline(always)]
    fn load_weights(self, from: &[i8; 4 * LANES]) -> [i8; 4 * LANES] {
        *from
    }

    #[inline(always)]
    fn splat_activations(self, four: [u8; 4]) -> [u8; 4] {
        four
    }

    #[inline(always)]
    fn dot(self, sums: [i32; LANES], a: [u8; 4], w: [i8; 4 * LANES]) -> [i32; LANES] {
        std::array::from_fn(|lane| {
            let products = (0..4).map(|i| i32::from(a[i]) * i32::from(w[4 * lane + i]));
            sums[lane].wrapping_add(products.sum::<i32>())
        })
    }

    #[inline(always)]
    fn to_floats(self, sums: [i32; LANES]) -> Floats {
        std::array::from_fn(|i| sums[i] as f32)
    }

    #[inline(always)]
    fn store_halves(self, value: Floats, to: &mut [u16; LANES]) {
        *to = std::array::from_fn(|i| bf16::from_f32(value[i]).to_bits());
    }

    #[inline(always)]
    fn load_half_weights(self, from: &[u16; 2 * LANES]) -> [Floats; 2] {
        [0, 1].map(|part| std::array::from_fn(|i| widen(from[2 * i + part])))
    }

    #[inline(always)]
    fn splat_halves(self, two: [u16; 2]) -> [f32; 2] {
        two.map(widen)
    }

    #[inline(always)]
    fn dot_halves(self, sums: Floats, a: [f32; 2], w: [Floats; 2]) -> Floats {
        let sums = self.fma([a[0]; LANES], w[0], sums);
        self.fma([a[1]; LANES], w[1], sums)
    }
}

/// Converts a bf16 to a float. A bf16 is the upper half of a float.
#[inline(always)]
fn widen(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}
