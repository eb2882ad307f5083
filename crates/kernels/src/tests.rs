use proptest::prelude::*;

use crate::math::{Closeness, exp, gelu};
use crate::simd::{Kernel, Simd};
use crate::*;

/// A pseudo-random number generator with a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn floats(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| (self.next() as f32 / (1u64 << 30) as f32 - 1.0) * scale).collect()
    }
}

fn naive(rows: &[f32], raw: &RawLinear) -> Vec<f64> {
    let product = |row: &[f32], (weights, bias): (&[f32], &f32)| {
        let sum: f64 = row.iter().zip(weights).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        sum + f64::from(*bias)
    };
    rows.chunks_exact(raw.inputs)
        .flat_map(|row| raw.weight.chunks_exact(raw.inputs).zip(&raw.bias).map(move |output| product(row, output)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The numbers of rows and groups vary, so that all sizes of tiles are used.
    #[test]
    fn matrix_products_equal_a_naive_loop(
        count in 1usize..40,
        chunks in 1usize..6,
        groups in 1usize..10,
        seed in any::<u64>(),
    ) {
        let (inputs, outputs) = (chunks * LANES, groups * LANES);
        let mut numbers = Numbers(seed);
        let rows = numbers.floats(count * inputs, 2.0);
        let weight = numbers.floats(outputs * inputs, 0.5);
        let raw = RawLinear { weight, bias: numbers.floats(outputs, 1.0), inputs };
        let wanted = naive(&rows, &raw);
        let (floats, halves) = (Linear::f32(&raw), Linear::bf16(&raw));
        for isa in Isa::available() {
            let int8 = Linear::int8(&raw, isa);
            let mut out = vec![0.0; count * outputs];
            floats.apply(isa, (Rows::F32(&rows), Every::ROW), &mut out);
            for (got, wanted) in out.iter().zip(&wanted) {
                prop_assert!((f64::from(*got) - wanted).abs() < 1e-3, "{isa:?}: got {got}, expected {wanted}");
            }
            let mut rounded = Rounded::default();
            Round { rows: &rows, width: inputs, to: rounded.half_rows(count, inputs) }.on(isa);
            halves.apply(isa, (Rows::Bf16(&rounded.halves), Every::ROW), &mut out);
            // Each of the two factors has a relative error of at most 1/256.
            let allowed = inputs as f64 * 2.0 * 0.5 * 2.0 / 256.0;
            for (got, wanted) in out.iter().zip(&wanted) {
                prop_assert!((f64::from(*got) - wanted).abs() < allowed, "{isa:?}: got {got}, expected {wanted}");
            }
            let bytes = &mut rounded;
            Round { rows: &rows, width: inputs, to: bytes.byte_rows(count, inputs, isa.max_activation()) }.on(isa);
            int8.apply(isa, (Rows::Bytes(&bytes.bytes, &bytes.affine), Every::ROW), &mut out);
            // Weights are at most 0.5. A weight and an activation each have an error of at most half a quantisation
            // step.
            let allowed = inputs as f64 * (2.0 * 0.25 / f64::from(isa.max_weight()) + 0.5 * 2.0 / f64::from(isa.max_activation()));
            for (got, wanted) in out.iter().zip(&wanted) {
                prop_assert!((f64::from(*got) - wanted).abs() < allowed, "{isa:?}: got {got}, expected {wanted}");
            }
            // If only some rows are selected, their results equal those of a product of all rows, and the other rows do
            // not change.
            let every = Every { first: count / 3, step: 1 + count / 4 };
            let meant = |row: usize| row >= every.first && (row - every.first).is_multiple_of(every.step);
            let int8_rows = Rows::Bytes(&rounded.bytes, &rounded.affine);
            for (linear, rows) in [(&int8, int8_rows), (&halves, Rows::Bf16(&rounded.halves)), (&floats, Rows::F32(&rows))]
            {
                linear.apply(isa, (rows, Every::ROW), &mut out);
                let (all, mut some) = (&out, vec![f32::MAX; count * outputs]);
                linear.apply(isa, (rows, every), &mut some);
                for (row, (some, all)) in some.chunks_exact(outputs).zip(all.chunks_exact(outputs)).enumerate() {
                    let stays = || some.iter().all(|&value| value == f32::MAX);
                    prop_assert!(if meant(row) { some == all } else { stays() }, "{isa:?}, row {row}");
                }
            }
        }
    }

    #[test]
    fn row_quantisation_error_is_at_most_half_a_step(
        row in prop::collection::vec(-50.0f32..50.0, LANES * 3),
    ) {
        for isa in Isa::available() {
            let mut bytes = Rounded::default();
            Round { rows: &row, width: row.len(), to: bytes.byte_rows(1, row.len(), isa.max_activation()) }.on(isa);
            let Affine { scale, offset } = bytes.affine[0];
            for (byte, value) in bytes.bytes.iter().zip(&row) {
                let back = f32::from(*byte) * scale + offset;
                prop_assert!((back - value).abs() <= scale * 0.501 + 1e-5, "{isa:?}: {back} for {value}");
            }
        }
    }
}

/// Attention computed by its definition, for one query, head and value at a time.
fn naive_attention(input: &QueryKeyValue<'_>, (heads, width): (usize, usize)) -> Vec<f64> {
    let at =
        |of: &Columns<'_>, (row, column): (usize, usize)| f64::from(of.values[row * of.stride + of.start + column]);
    let mut out = Vec::new();
    for (queries, tokens) in input.spans {
        for (query, head) in (0..queries.len).flat_map(|query| (0..heads).map(move |head| (query, head))) {
            let columns = head * width..(head + 1) * width;
            let score = |token| -> f64 {
                let product = |column| {
                    at(&input.queries, (queries.start + query, column))
                        * at(&input.keys, (tokens.start + token, column))
                };
                columns.clone().map(product).sum()
            };
            let shares: Vec<f64> = (0..tokens.len).map(|token| score(token).exp()).collect();
            let total: f64 = shares.iter().sum();
            out.extend(columns.clone().map(|column| {
                let part = |(token, share): (usize, &f64)| share * at(&input.values, (tokens.start + token, column));
                shares.iter().enumerate().map(part).sum::<f64>() / total
            }));
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The texts have various lengths, with a query for each token or only for the first token.
    #[test]
    fn attention_equals_naive_loop(
        lengths in prop::collection::vec(prop_oneof![1usize..50, 60usize..140], 1..5),
        heads in 1usize..4,
        chunks in 1usize..5,
        first_only in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let width = chunks * LANES;
        let all = heads * width;
        let mut numbers = Numbers(seed);
        let (mut spans, mut tokens, mut queries) = (Vec::new(), 0, 0);
        for len in lengths {
            let asked = if first_only { 1 } else { len };
            spans.push((RowRange { start: queries, len: asked }, RowRange { start: tokens, len }));
            (tokens, queries) = (tokens + len, queries + asked);
        }
        let asked = numbers.floats(queries * all, 1.0);
        let known = numbers.floats(tokens * 2 * all, 1.0);
        let part = |start| Columns { values: &known, stride: 2 * all, start };
        let asked = Columns { values: &asked, stride: all, start: 0 };
        let input = QueryKeyValue { queries: asked, keys: part(0), values: part(all), spans: &spans };
        let wanted = naive_attention(&input, (heads, width));
        let mut buffers = AttentionBuffers::default();
        for isa in Isa::available() {
            let mut out = vec![0.0; queries * all];
            Attention { input, heads, width, out: &mut out, buffers: &mut buffers }.on(isa);
            for (got, wanted) in out.iter().zip(&wanted) {
                prop_assert!((f64::from(*got) - wanted).abs() < 1e-4, "{isa:?}: got {got}, expected {wanted}");
            }
        }
    }
}

struct Functions<'a>(&'a [f32; LANES], &'a mut [[f32; LANES]; 3]);

impl Kernel for Functions<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let x = simd.load(self.0);
        simd.store(gelu(simd, x, Closeness::Exact), &mut self.1[0]);
        simd.store(gelu(simd, x, Closeness::Rounded), &mut self.1[1]);
        simd.store(exp(simd, x), &mut self.1[2]);
    }
}

#[test]
fn gelu_and_exp_stay_within_the_documented_error() {
    for isa in Isa::available() {
        for step in -900i16..100 {
            let x: [f32; LANES] = std::array::from_fn(|lane| (f32::from(step) + lane as f32 / 16.0) / 10.0);
            let mut out = [[0.0; LANES]; 3];
            isa.run(Functions(&x, &mut out));
            let wanted = x.map(|x| 0.5 * f64::from(x) * (1.0 + libm::erf(f64::from(x) / std::f64::consts::SQRT_2)));
            for lane in 0..LANES {
                let size = f64::from(x[lane].abs().max(1.0));
                assert!((f64::from(out[0][lane]) - wanted[lane]).abs() < 5e-6 * size, "{isa:?} gelu({})", x[lane]);
                assert!((f64::from(out[1][lane]) - wanted[lane]).abs() < 2e-4 * size, "{isa:?} gelu({})", x[lane]);
                let exact = f64::from(x[lane].max(-87.0)).exp();
                assert!((f64::from(out[2][lane]) - exact).abs() < 1e-6 * exact, "{isa:?} exp({})", x[lane]);
            }
        }
    }
}
