//! Builds XLM-RoBERTa's tokenizer from the file of a SentencePiece model, which is a protocol buffer
//! (`sentencepiece_model.proto`). Only a few of its fields are used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{around, special_token};
use crate::error::LoadError;

const FILE: &str = "sentencepiece.bpe.model";

/// The numbers of the used fields of `ModelProto`, `SentencePiece` and `NormalizerSpec`.
mod field {
    /// The pieces of a `ModelProto`.
    pub const PIECES: u64 = 1;
    /// The normalizer of a `ModelProto`.
    pub const NORMALIZER: u64 = 3;
    /// The text of a `SentencePiece`.
    pub const PIECE: u64 = 1;
    /// The score of a `SentencePiece`.
    pub const SCORE: u64 = 2;
    /// The compiled character map of a `NormalizerSpec`.
    pub const CHARSMAP: u64 = 2;
}

/// Builds the tokenizer with the token ids of the model's training: four special tokens, then the pieces of the file
/// except the first three, then the mask token.
///
/// # Errors
/// When the file is not a SentencePiece model.
pub fn unigram(model: &[u8]) -> Result<Value, LoadError> {
    let damaged = || format!("{FILE} is damaged or not a SentencePiece model; download it again");
    let mut pieces = Vec::new();
    let mut charsmap: &[u8] = &[];
    for (number, value) in Fields(model).collect::<Option<Vec<_>>>().ok_or_else(damaged)? {
        match (number, value) {
            (field::PIECES, Wire::Bytes(bytes)) => pieces.push(piece(bytes).ok_or_else(damaged)?),
            (field::NORMALIZER, Wire::Bytes(bytes)) => charsmap = map_of(bytes).ok_or_else(damaged)?,
            _ => {}
        }
    }
    // The first three pieces (unknown, start, end) are replaced by the four special tokens, whose order differs.
    let own = pieces.get(3..).filter(|own| !own.is_empty()).ok_or_else(damaged)?;
    let first = ["<s>", "<pad>", "</s>", "<unk>"].map(|token| (token.to_owned(), 0.0));
    let last = ("<mask>".to_owned(), 0.0);
    let vocab: Vec<(String, f64)> = first.into_iter().chain(own.iter().cloned()).chain([last]).collect();
    let mask = vocab.len() - 1;
    let added = [("<s>", 0), ("<pad>", 1), ("</s>", 2), ("<unk>", 3), ("<mask>", mask)]
        .map(|(token, id)| special_token(token, &id.into()));
    let normalizer = match charsmap {
        [] => Value::Null,
        map => json!({"type": "Precompiled", "precompiled_charsmap": STANDARD.encode(map)}),
    };
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        ]},
        "post_processor": around(("<s>", &0.into()), ("</s>", &2.into())),
        "decoder": null,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": false},
    }))
}

fn piece(bytes: &[u8]) -> Option<(String, f64)> {
    let (mut text, mut score) = (None, 0.0);
    for field in Fields(bytes) {
        match field? {
            (field::PIECE, Wire::Bytes(bytes)) => text = Some(std::str::from_utf8(bytes).ok()?.to_owned()),
            (field::SCORE, Wire::Four(bytes)) => score = f64::from(f32::from_le_bytes(bytes)),
            _ => {}
        }
    }
    Some((text?, score))
}

fn map_of(bytes: &[u8]) -> Option<&[u8]> {
    let mut map: &[u8] = &[];
    for field in Fields(bytes) {
        if let (field::CHARSMAP, Wire::Bytes(bytes)) = field? {
            map = bytes;
        }
    }
    Some(map)
}

/// The value of a field in its wire format.
enum Wire<'a> {
    /// A value of a type that is not needed.
    Other,
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

/// Iterates over the fields of a message, with their numbers. The last item is `None` if the message is damaged.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => self.varint().map(|_| Wire::Other)?,
            1 => self.take(8).map(|_| Wire::Other)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((key >> 3, value))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
