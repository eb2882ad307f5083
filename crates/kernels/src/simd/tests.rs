use proptest::prelude::*;

use super::*;

/// Runs every operation of [`Simd`] and stores the results.
struct Probe<'a> {
    a: [f32; LANES],
    b: [f32; LANES],
    halves: [u8; 2 * LANES],
    activations: [u8; 4],
    weights: [i8; 4 * LANES],
    half_weights: [u16; 2 * LANES],
    seen: &'a mut Seen,
}

#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// Results that are equal on every machine.
    exact: Vec<f32>,
    /// Results that may differ in rounding.
    close: Vec<f32>,
    bytes: [u8; LANES],
    rounded: [u16; LANES],
    transposed: [[f32; LANES]; LANES],
}

impl Kernel for Probe<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (a, b) = (simd.load(&self.a), simd.load(&self.b));
        let mut keep = |value| {
            let mut lanes = [0.0; LANES];
            simd.store(value, &mut lanes);
            self.seen.exact.extend(lanes);
        };
        keep(simd.add(a, b));
        keep(simd.sub(a, b));
        keep(simd.mul(a, b));
        keep(simd.min(a, b));
        keep(simd.max(a, b));
        keep(simd.round(a));
        keep(simd.abs(a));
        keep(simd.look_up(&self.b, a));
        keep(simd.exp2(simd.round(simd.max(simd.min(a, simd.splat(127.0)), simd.splat(-126.0)))));
        keep(simd.load_f16(&self.halves));
        let (activations, weights) = (simd.splat_activations(self.activations), simd.load_weights(&self.weights));
        let once = simd.dot(simd.zero_sums(), activations, weights);
        keep(simd.to_floats(simd.dot(once, activations, weights)));
        self.seen.exact.extend([simd.least(a), simd.largest(a)]);
        let mut lanes = [0.0; LANES];
        simd.store(simd.fma(a, b, a), &mut lanes);
        self.seen.close.extend(lanes);
        self.seen.close.push(simd.sum(a));
        let two = simd.splat_halves([0x3fc0, 0xbf40]);
        let sums = simd.dot_halves(a, two, simd.load_half_weights(&self.half_weights));
        simd.store(sums, &mut lanes);
        self.seen.close.extend(lanes);
        simd.store_halves(b, &mut self.seen.rounded);
        let byte = simd.min(simd.max(a, simd.splat(0.0)), simd.splat(255.0));
        simd.store_bytes(byte, &mut self.seen.bytes);
        for (row, lanes) in self.seen.transposed.iter_mut().enumerate() {
            *lanes = std::array::from_fn(|column| self.a[column] + row as f32);
        }
        simd.transpose(&mut self.seen.transposed);
    }
}

proptest! {
    #[test]
    fn every_instruction_set_gives_the_results_of_portable_code(
        a in prop::array::uniform16(-300.0f32..300.0),
        b in prop::array::uniform16(-300.0f32..300.0),
        halves in prop::array::uniform16(-60_000.0f32..60_000.0),
        activations in prop::array::uniform4(0u8..=255),
        weights in prop::collection::vec(-127i8..=127, 4 * LANES),
        half_weights in prop::collection::vec(-300.0f32..300.0, 2 * LANES),
    ) {
        let halves: Vec<u8> = halves.into_iter().flat_map(|half| half::f16::from_f32(half).to_le_bytes()).collect();
        let halves: [u8; 2 * LANES] = halves.try_into().unwrap();
        let weights: [i8; 4 * LANES] = weights.try_into().unwrap();
        let half_weights: [u16; 2 * LANES] =
            std::array::from_fn(|place| half::bf16::from_f32(half_weights[place]).to_bits());
        let probe = |isa: Isa, limit: Isa| {
            let mut seen = Seen::default();
            let largest = limit.max_weight().cast_signed();
            let weights = weights.map(|weight| weight.clamp(-largest, largest));
            isa.run(Probe { a, b, halves, activations, weights, half_weights, seen: &mut seen });
            seen
        };
        for isa in Isa::available() {
            let plain = probe(Isa(Set::Portable), isa);
            let seen = probe(isa, isa);
            prop_assert_eq!(&seen.exact, &plain.exact, "{:?}", isa);
            prop_assert_eq!(&seen.bytes, &plain.bytes, "{:?}", isa);
            prop_assert_eq!(&seen.rounded, &plain.rounded, "{:?}", isa);
            prop_assert_eq!(&seen.transposed, &plain.transposed, "{:?}", isa);
            for (got, wanted) in seen.close.iter().zip(&plain.close) {
                prop_assert!((got - wanted).abs() <= 0.02, "{isa:?}: got {got}, expected {wanted}");
            }
        }
    }
}
