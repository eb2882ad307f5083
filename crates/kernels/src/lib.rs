//! The vectorised kernels of the encoder.
//!
//! This crate contains the hot loops of inference and all `unsafe` code of SentiStream. It does not
//! depend on the other crates, and is compiled with optimisation in every profile. Each kernel is
//! written for vectors of sixteen lanes ([`simd`]); the instruction set is an argument, an [`Isa`].

mod attention;
mod format;
mod linear;
mod math;
mod pages;
mod rows;
mod simd;
mod tiles;

pub use attention::{Attention, AttentionBuffers, Columns, QueryKeyValue, RowRange};
pub use format::Format;
pub use linear::{Every, Linear, RawLinear, Rows};
pub use pages::release_file_pages;
pub use rows::{Activate, Activation, AddNorm, Affine, Embed, Norm, Round, Rounded, Target, Words};
pub use simd::{Isa, LANES, peak};

#[cfg(test)]
mod tests;
