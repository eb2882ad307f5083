//! The number format of matrix products.

/// The number format of the rows and weights of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// 16-bit floats with the range of 32-bit floats.
    Bf16,
    /// 8-bit integers with a scale factor.
    Int8,
}
