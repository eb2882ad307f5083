//! Computes texts in groups. A stage consists of the layers up to the next exit.
//!
//! An exit needs only the first token of its layer, which is computed first. Texts that the exit accepts are complete.
//! The tokens of the other texts are stored as they were before this layer. The remaining texts of all groups form new
//! groups of up to [`GROUP_TOKENS`] tokens, so that late layers compute full tiles too. The outputs of a text depend
//! only on its own tokens, not on its group.

use std::mem;
use std::ops::Range;

use sentistream_kernels::{Rounded, RowRange};

use super::{Exit, FusedEncoder, Scratch, resized};

/// The approximate maximum number of tokens of a group. The limit keeps its rows in the CPU cache.
const GROUP_TOKENS: usize = 512;

/// A text to compute.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The token ids: at least one, and at most as many as the model has positions. All must be less than the size of
    /// the vocabulary.
    pub ids: &'a [u32],
    /// Whether the text may stop at an exit.
    pub may_exit: bool,
}

/// The outputs of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// The concatenated outputs of all heads, text by text.
    pub logits: Vec<f32>,
    /// The number of layers computed for each text.
    pub layers: Vec<u32>,
}

/// The outputs of all exits: for each text and exit, the outputs of all heads, then the output of the gate.
pub type Trace = Vec<f32>;

/// Texts that wait for the next stage.
#[derive(Default)]
pub struct Parked {
    /// For each text, its index in the batch and its rows.
    texts: Vec<(usize, RowRange)>,
    tokens: Vec<f32>,
    rounded: Rounded,
}

impl Parked {
    fn rows(&self) -> usize {
        self.texts.last().map_or(0, |(_, rows)| rows.start + rows.len)
    }
}

/// The last step of a stage: an exit, or the heads of the model if the stage contains the last layer.
enum End<'a> {
    Exit { exit: &'a Exit, number: usize },
    Heads,
}

/// The state of one call of [`FusedEncoder::run`].
struct Run<'a> {
    texts: &'a [Input<'a>],
    outputs: Outputs,
    trace: Option<&'a mut Trace>,
}

impl FusedEncoder {
    /// Computes the outputs of texts. With `trace`, no text stops early, and the outputs of all exits are computed too.
    pub fn run(&self, texts: &[Input<'_>], scratch: &mut Scratch, trace: Option<&mut Trace>) -> Outputs {
        let width = self.outputs();
        scratch.largest = scratch.largest.max(texts.iter().map(|text| text.ids.len()).sum());
        let layers = vec![self.shape.n_layers as u32; texts.len()];
        let mut run = Run { texts, outputs: Outputs { logits: vec![0.0; texts.len() * width], layers }, trace };
        if let Some(trace) = &mut run.trace {
            trace.clear();
            trace.resize(texts.len() * self.exits.len() * (width + 1), 0.0);
        }
        let uses_exits = run.trace.is_some() || texts.iter().any(|text| text.may_exit);
        let exits = if uses_exits { self.exits.as_slice() } else { &[] };
        let ends = exits.iter().enumerate().map(|(number, exit)| End::Exit { exit, number }).chain([End::Heads]);
        let mut done = 0;
        for (stage, end) in ends.enumerate() {
            let until = if let End::Exit { exit, .. } = end { exit.layer } else { self.layers.len() };
            let lengths: Vec<usize> = match stage {
                0 => texts.iter().map(|text| text.ids.len()).collect(),
                _ => scratch.parked.texts.iter().map(|(_, rows)| rows.len).collect(),
            };
            let groups = groups(&lengths);
            let is_alone = groups.len() == 1;
            for group in groups {
                match stage {
                    0 => self.enter(&run, group, scratch),
                    _ if is_alone => swap_in(scratch),
                    _ => self.copy_in(group, scratch),
                }
                for layer in &self.layers[done..until] {
                    self.whole_layer(layer, scratch);
                }
                match &end {
                    End::Exit { exit, number } => self.leave(&mut run, (exit, *number), scratch),
                    End::Heads => self.end(&mut run, scratch),
                }
            }
            let Scratch { parked, next, .. } = scratch;
            mem::swap(parked, next);
            next.texts.clear();
            done = until;
        }
        run.outputs
    }

    /// The total number of outputs of all heads.
    fn outputs(&self) -> usize {
        self.heads.iter().map(|head| head.count).sum()
    }

    /// Embeds a group of the batch.
    fn enter(&self, run: &Run<'_>, group: Range<usize>, scratch: &mut Scratch) {
        let ids: Vec<&[u32]> = run.texts[group.clone()].iter().map(|text| text.ids).collect();
        scratch.spans.clear();
        let mut start = 0;
        for ids in &ids {
            let rows = RowRange { start, len: ids.len() };
            scratch.spans.push((rows, rows));
            start += ids.len();
        }
        scratch.group.clear();
        scratch.group.extend(group);
        self.embed(&ids, scratch);
    }

    /// Copies some of the parked texts into the group.
    fn copy_in(&self, group: Range<usize>, scratch: &mut Scratch) {
        let dim = self.shape.dim;
        let Scratch { parked, tokens, token_rounded, spans, group: members, .. } = scratch;
        let texts = &parked.texts[group];
        let first = texts.first().map_or(0, |(_, rows)| rows.start);
        let count: usize = texts.iter().map(|(_, rows)| rows.len).sum();
        resized(tokens, count * dim).copy_from_slice(&parked.tokens[first * dim..][..count * dim]);
        token_rounded.copy_rows(self.format, (0, dim), (&parked.rounded, first, count));
        spans.clear();
        members.clear();
        for &(index, rows) in texts {
            let rows = RowRange { start: rows.start - first, len: rows.len };
            spans.push((rows, rows));
            members.push(index);
        }
    }

    /// Applies an exit to the group. Texts that the exit accepts get their outputs; all others wait for the next stage.
    fn leave(&self, run: &mut Run<'_>, (exit, number): (&Exit, usize), scratch: &mut Scratch) {
        let is_traced = run.trace.is_some();
        let Scratch { spans, group, first, .. } = scratch;
        let may_exit = |index: usize| is_traced || run.texts[index].may_exit;
        first.texts.clear();
        first
            .texts
            .extend(spans.iter().zip(group.iter()).filter(|(_, index)| may_exit(**index)).map(|(span, _)| span.1));
        let count = first.texts.len();
        if count > 0 {
            self.first_token(&exit.first, &self.layers[exit.layer].rest, scratch);
            self.head_outputs(&exit.head, count, scratch);
        }
        let (dim, width) = (self.shape.dim, self.outputs());
        let Scratch { outputs, tokens, token_rounded, spans, group, next, .. } = scratch;
        let mut results = outputs.chunks_exact(exit.head.width()).take(count);
        for (&index, &(_, rows)) in group.iter().zip(spans.iter()) {
            let result = if is_traced || run.texts[index].may_exit { results.next() } else { None };
            if let (Some(trace), Some(result)) = (&mut run.trace, result) {
                let place = (index * self.exits.len() + number) * (width + 1);
                trace[place..][..=width].copy_from_slice(&result[..=width]);
            } else if let Some(result) = result.filter(|result| result[width] > exit.gate_limit) {
                run.outputs.logits[index * width..][..width].copy_from_slice(&result[..width]);
                run.outputs.layers[index] = exit.layer as u32 + 1;
                continue;
            }
            let start = next.rows();
            let end = (start + rows.len) * dim;
            resized(&mut next.tokens, end)[start * dim..]
                .copy_from_slice(&tokens[rows.start * dim..][..rows.len * dim]);
            next.rounded.copy_rows(self.format, (start, dim), (token_rounded, rows.start, rows.len));
            next.texts.push((index, RowRange { start, len: rows.len }));
        }
    }

    /// Applies the last layer and the heads to the group.
    fn end(&self, run: &mut Run<'_>, scratch: &mut Scratch) {
        scratch.first.texts.clear();
        scratch.first.texts.extend(scratch.spans.iter().map(|(_, tokens)| *tokens));
        let count = scratch.group.len();
        self.first_token(&self.last.first, &self.last.rest, scratch);
        let width = self.outputs();
        let mut place = 0;
        for head in &self.heads {
            self.head_outputs(head, count, scratch);
            for (&index, outputs) in scratch.group.iter().zip(scratch.outputs.chunks_exact(head.width())) {
                run.outputs.logits[index * width + place..][..head.count].copy_from_slice(&outputs[..head.count]);
            }
            place += head.count;
        }
    }
}

/// Makes all waiting texts the current group without copying their rows.
fn swap_in(scratch: &mut Scratch) {
    let Scratch { parked, tokens, token_rounded, spans, group, .. } = scratch;
    mem::swap(tokens, &mut parked.tokens);
    mem::swap(token_rounded, &mut parked.rounded);
    spans.clear();
    spans.extend(parked.texts.iter().map(|&(_, rows)| (rows, rows)));
    group.clear();
    group.extend(parked.texts.iter().map(|&(index, _)| index));
}

/// Splits texts into groups of adjacent texts. All groups have about the same number of tokens, about [`GROUP_TOKENS`]
/// at most.
fn groups(lengths: &[usize]) -> Vec<Range<usize>> {
    let total: usize = lengths.iter().sum();
    let count = total.div_ceil(GROUP_TOKENS).max(1);
    let wanted = total.div_ceil(count);
    let mut groups = Vec::with_capacity(count);
    let (mut start, mut tokens) = (0, 0);
    for (index, length) in lengths.iter().enumerate() {
        tokens += length;
        if tokens >= wanted || index + 1 == lengths.len() {
            groups.push(start..index + 1);
            (start, tokens) = (index + 1, 0);
        }
    }
    groups
}
