//! Converts texts to token ids.

mod growth;

use std::panic::catch_unwind;

use tokenizers::{Encoding, Tokenizer};

use super::error::{ClassifyError, LoadError};
use super::windows::windows;

/// A tokenised text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// The token ids of each window of the text, including special tokens. A text that fits into the model's input has
    /// one window. A window has at least one token, and at most as many tokens as the model reads at once.
    pub windows: Vec<Vec<u32>>,
    /// The number of tokens of the text that the windows cover, plus the special tokens of one window.
    pub read: usize,
    /// Whether the text has more tokens than the windows cover, or was truncated before it was tokenised.
    pub truncated: bool,
}

impl Tokens {
    /// The number of tokens to compute.
    pub fn cost(&self) -> usize {
        self.windows.iter().map(Vec::len).sum()
    }
}

/// The tokenizer of a model, with the model's limits.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    max_tokens: usize,
    vocab_size: usize,
}

impl TextTokenizer {
    /// Parses `tokenizer.json`.
    ///
    /// # Errors
    /// When the JSON is invalid, the normalizers can lengthen texts too much, or the tokenizer has more tokens than the
    /// model.
    pub fn parse(json: &[u8], max_tokens: usize, vocab_size: usize) -> Result<Self, LoadError> {
        let invalid = |e: tokenizers::Error| LoadError::Files(format!("tokenizer.json: {e}"));
        // This check comes first, because the parser already runs the normalizers on the added tokens.
        growth::check(json)?;
        // The parser panics on some damaged files, such as a file that ends within the decoder.
        let parsed = catch_unwind(|| Tokenizer::from_bytes(json));
        let damaged = |_| LoadError::Files("tokenizer.json is damaged; download it again".to_owned());
        let mut tokenizer = parsed.map_err(damaged)?.map_err(invalid)?;
        let known = tokenizer.get_vocab_size(true);
        if known > vocab_size {
            let reason = format!("tokenizer.json has {known} tokens, but the model has only {vocab_size}");
            return Err(LoadError::Files(reason));
        }
        // `encode` splits long texts itself and reports a truncation. Texts are never padded.
        tokenizer.with_truncation(None).map_err(invalid)?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, max_tokens, vocab_size })
    }

    /// Tokenises `text`. A text that is too long for the model is split into at most `max_windows` windows, each with
    /// the special tokens.
    ///
    /// # Errors
    /// When the tokenizer fails, returns no tokens, or returns unknown tokens.
    pub fn encode(&self, text: &str, max_windows: usize) -> Result<Tokens, ClassifyError> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|e| ClassifyError::Tokenise(e.to_string()))?;
        let ids = encoding.get_ids();
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            return Err(ClassifyError::Tokenise(format!("the token {id} is not in the vocabulary of the model")));
        }
        if ids.is_empty() {
            return Err(ClassifyError::Tokenise("the text has no tokens".to_owned()));
        }
        if ids.len() <= self.max_tokens {
            return Ok(Tokens { windows: vec![ids.to_vec()], read: ids.len(), truncated: false });
        }
        Ok(self.split(&encoding, max_windows))
    }

    fn split(&self, encoding: &Encoding, max_windows: usize) -> Tokens {
        let ids = encoding.get_ids();
        let special = encoding.get_special_tokens_mask();
        let before = special.iter().take_while(|&&special| special == 1).count();
        let after = special[before..].iter().rev().take_while(|&&special| special == 1).count();
        let (start, end) = (&ids[..before], &ids[ids.len() - after..]);
        let content = &ids[before..ids.len() - after];
        let limit = self.max_tokens.saturating_sub(before + after);
        let (ranges, whole) = windows(content.len(), limit, max_windows);
        let read = before + after + ranges.last().map_or(0, |last| last.end);
        let window = |range| [start, &content[range], end].concat();
        Tokens { windows: ranges.into_iter().map(window).collect(), read, truncated: !whole }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(json: &[u8]) -> String {
        TextTokenizer::parse(json, 128, 100).err().expect("an error").to_string()
    }

    #[test]
    fn tokenizer_file_that_ends_early_is_rejected() {
        let reason = refusal(br#"{"version": "1.0", "decoder": {"type": "WordPiece", "#);
        assert!(reason.starts_with("tokenizer.json"), "{reason}");
    }

    #[test]
    fn tokenizer_normalizers_are_checked_before_they_run() {
        // Without the check, the parser would normalize this added token to 10^10 bytes.
        let long = "a".repeat(100_000);
        let replace = json!({"type": "Replace", "pattern": {"String": "a"}, "content": long});
        let added = json!({
            "id": 1, "content": "a", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true,
            "special": false,
        });
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [added],
            "normalizer": {"type": "Sequence", "normalizers": [replace, replace]},
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {
                "type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {"u": 0, "a": 1},
            },
        });
        let reason = refusal(tokenizer.to_string().as_bytes());
        assert!(reason.contains("times as long"), "{reason}");
    }
}
