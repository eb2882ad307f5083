//! Measures the peak throughput of a machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::format::Format;

use super::{Isa, Kernel, LANES, Simd};

/// The number of independent sums. It is large enough to hide the latency of a product, and small enough for the
/// registers.
const SUMS: usize = 12;
/// The number of products per sum between two reads of the clock.
const STEPS: usize = 20_000;
const TIME: Duration = Duration::from_millis(300);

/// The number of operations per second of `threads` threads together, with operands in registers. A product and a sum
/// count as two operations. No matrix product can exceed this number. `None` if this machine lacks instructions for the
/// format.
pub fn peak(format: Format, threads: usize) -> Option<f64> {
    let isa = Isa::best();
    let per_product = match format {
        Format::F32 => LANES,
        Format::Bf16 if isa.has_halves() => 2 * LANES,
        Format::Bf16 => return None,
        Format::Int8 => 4 * LANES,
    };
    let done = || {
        let start = Instant::now();
        let mut rounds = 0.0;
        while start.elapsed() < TIME {
            isa.run(Spin(format));
            rounds += 1.0;
        }
        2.0 * (per_product * SUMS * STEPS) as f64 * rounds / start.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(done)).collect();
        running.into_iter().map(|thread| thread.join().ok()).sum()
    })
}

struct Spin(Format);

impl Kernel for Spin {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let four = simd.splat_activations(black_box([1, 2, 3, 4]));
        let weights = simd.load_weights(black_box(&[1; 4 * LANES]));
        let (two, halves) =
            (simd.splat_halves(black_box([0x3f80; 2])), simd.load_half_weights(black_box(&[0x3f80; 2 * LANES])));
        let value = simd.splat(black_box(0.5));
        let mut products = [simd.zero_sums(); SUMS];
        let mut sums = [simd.splat(0.0); SUMS];
        for _ in 0..STEPS {
            for place in 0..SUMS {
                match self.0 {
                    Format::Int8 => products[place] = simd.dot(products[place], four, weights),
                    Format::Bf16 => sums[place] = simd.dot_halves(sums[place], two, halves),
                    _ => sums[place] = simd.fma(value, value, sums[place]),
                }
            }
        }
        let mut all = simd.splat(0.0);
        for place in 0..SUMS {
            all = simd.add(all, simd.add(sums[place], simd.to_floats(products[place])));
        }
        let mut out = [0.0; LANES];
        simd.store(all, &mut out);
        black_box(out);
    }
}
