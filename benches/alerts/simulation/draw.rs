//! Generates random numbers and words.

use rand::Rng;
use rand::rngs::StdRng;

/// A word for each number. Different numbers have different words.
pub fn letters(mut number: i64) -> String {
    let mut word = String::from("x");
    loop {
        word.push((b'a' + (number % 26) as u8) as char);
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

/// A random count with a Poisson distribution. For means above 60 the normal distribution is used as an approximation.
pub fn poisson(mean: f64, random: &mut StdRng) -> i64 {
    if mean <= 0.0 {
        return 0;
    }
    if mean > 60.0 {
        return (mean + gauss(random) * mean.sqrt()).round().max(0.0) as i64;
    }
    let (limit, mut product, mut count) = ((-mean).exp(), 1.0, 0);
    loop {
        product *= random.random_range(0.0..1.0);
        if product <= limit {
            return count;
        }
        count += 1;
    }
}

/// A random number with the standard normal distribution, by the Box–Muller method.
pub fn gauss(random: &mut StdRng) -> f64 {
    let (one, other): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}
