//! The vector code of the encoder.
//!
//! Everything that takes the time of inference, and all of SentiStream's `unsafe`, is in this
//! crate: it depends on nothing of the rest, and is compiled with optimisation even where the
//! rest is not. What each kernel computes is said over lanes ([`simd`]); which instructions do it
//! is an argument, an [`Isa`].

mod attention;
mod linear;
mod math;
mod rows;
mod simd;
mod tiles;

pub use attention::{Attention, Columns, Room, Sight, Span};
pub use linear::{Every, Form, Linear, RawLinear, Rows};
pub use rows::{Activate, Activation, AddNorm, Affine, Embed, Norm, Round, Rounded, Target, Words};
pub use simd::{Isa, LANES, peak};

#[cfg(test)]
mod tests;
