//! Classification heads on first tokens. They are small and computed in f32.

use sentistream_kernels::{LANES, Linear, Rows};

use crate::layout::HeadActivation;

use super::{FusedEncoder, Scratch, resized};

/// A classification head: a linear layer, an activation, and a second linear layer.
pub struct Head {
    /// The first linear layer. Its input is the first token.
    pub hidden: Linear,
    /// The second linear layer, whose outputs are the logits of the classes.
    pub classes: Linear,
    /// The activation between the two layers.
    pub activation: HeadActivation,
    /// The number of outputs. The other values of a row are padding.
    pub count: usize,
}

impl Head {
    /// The width of a row of outputs, including padding.
    pub fn width(&self) -> usize {
        self.classes.groups() * LANES
    }
}

impl FusedEncoder {
    /// Computes the outputs of a head for `count` texts, from their first tokens. The result is in `scratch.outputs`.
    pub(super) fn head_outputs(&self, head: &Head, count: usize, scratch: &mut Scratch) {
        let first = &scratch.first.rows[..count * self.shape.dim];
        let hidden = resized(&mut scratch.hidden, count * head.hidden.groups() * LANES);
        self.apply(&head.hidden, Rows::F32(first), hidden);
        head.activation.apply(hidden);
        self.apply(&head.classes, Rows::F32(hidden), resized(&mut scratch.outputs, count * head.width()));
    }
}
