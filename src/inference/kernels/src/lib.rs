//! The vector code of the encoder.
//!
//! The hot loops of inference, and all of SentiStream's `unsafe`, are in this crate. It has no
//! dependency on the rest, and is compiled with optimisation in every profile. Each kernel is
//! written over lanes ([`simd`]); the instruction set is an argument, an [`Isa`].

mod attention;
mod format;
mod linear;
mod math;
mod pages;
mod rows;
mod simd;
mod tiles;

pub use attention::{Attention, Columns, Room, RowRange, Sight};
pub use format::Format;
pub use linear::{Every, Linear, RawLinear, Rows};
pub use pages::release_file_pages;
pub use rows::{Activate, Activation, AddNorm, Affine, Embed, Norm, Round, Rounded, Target, Words};
pub use simd::{Isa, LANES, peak};

#[cfg(test)]
mod tests;
