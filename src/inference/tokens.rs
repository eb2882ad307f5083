//! Texts as token ids.

use tokenizers::Tokenizer;

/// A text as a model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tokens {
    /// Ids, special ones included: at least one, at most the model's limit.
    pub ids: Vec<u32>,
    /// Whether the text had more.
    pub truncated: bool,
}

/// A model's tokenizer with its limits.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    max_tokens: usize,
    vocab_size: usize,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// When it is none, or knows more tokens than the model.
    pub fn parse(json: &[u8], max_tokens: usize, vocab_size: usize) -> Result<Self, String> {
        let mut tokenizer = Tokenizer::from_bytes(json).map_err(|e| format!("tokenizer.json: {e}"))?;
        let known = tokenizer.get_vocab_size(true);
        if known > vocab_size {
            return Err(format!("tokenizer.json knows {known} tokens, but the model only {vocab_size}"));
        }
        // Texts are cut below, where it can be told, and never padded.
        tokenizer.with_truncation(None).map_err(|e| format!("tokenizer.json: {e}"))?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, max_tokens, vocab_size })
    }

    /// The tokens of `text`. One that is too long loses its end but keeps its last (special) token.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn encode(&self, text: &str) -> Result<Tokens, String> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|e| format!("cannot tokenise: {e}"))?;
        let mut ids = encoding.get_ids().to_vec();
        let truncated = ids.len() > self.max_tokens;
        if truncated {
            let last = ids[ids.len() - 1];
            ids.truncate(self.max_tokens);
            ids[self.max_tokens - 1] = last;
        }
        match ids.iter().find(|&&id| id as usize >= self.vocab_size) {
            Some(id) => Err(format!("cannot tokenise: the model does not know the token {id}")),
            None if ids.is_empty() => Err("cannot tokenise: the text has no tokens".to_owned()),
            None => Ok(Tokens { ids, truncated }),
        }
    }
}
