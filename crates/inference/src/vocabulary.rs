//! Reads the tokenizer of a model from `tokenizer.json`, or builds it from the vocabulary files of older repositories.

mod sentencepiece;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::LoadError;
use super::files::ModelFiles;
use super::spec::Family;

/// The settings of `tokenizer_config.json` that matter for a tokenizer built from a vocabulary.
#[derive(Deserialize)]
struct TokenizerConfig {
    #[serde(default = "default_true")]
    do_lower_case: bool,
    strip_accents: Option<bool>,
    #[serde(default = "default_true")]
    tokenize_chinese_chars: bool,
    #[serde(default)]
    add_prefix_space: bool,
}

fn default_true() -> bool {
    true
}

/// The sets of files from which a tokenizer of `family` can be built if there is no `tokenizer.json`.
fn sources(family: Family) -> [&'static [&'static str]; 2] {
    match family {
        Family::DistilBert | Family::Bert => [&["vocab.txt"], &["vocab.txt"]],
        Family::Roberta => [&["vocab.json", "merges.txt"], &["sentencepiece.bpe.model"]],
    }
}

/// The files from which the tokenizer is read or built: the first set that is complete. `None` if each set lacks a
/// file.
pub fn chosen(family: Family, has: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    if has("tokenizer.json") {
        return Some(vec!["tokenizer.json".to_owned()]);
    }
    let names = sources(family).into_iter().find(|names| names.iter().all(|name| has(name)))?;
    let config = Some("tokenizer_config.json").filter(|name| has(name));
    Some(names.iter().copied().chain(config).map(str::to_owned).collect())
}

/// The error message if there are no tokenizer files.
pub fn missing(place: &str, family: Family) -> String {
    let [first, second] = sources(family).map(|names| names.join(" and "));
    let or = if first == second { first } else { format!("{first}, or {second}") };
    format!("{place} has no tokenizer: neither tokenizer.json nor {or}")
}

/// The JSON of the tokenizer of a model.
///
/// # Errors
/// When the files of the tokenizer are missing or invalid.
pub fn tokenizer(files: &ModelFiles, family: Family) -> Result<Cow<'static, [u8]>, LoadError> {
    if files.has("tokenizer.json") {
        return files.read("tokenizer.json");
    }
    let config = match files.has("tokenizer_config.json") {
        true => serde_json::from_slice(&files.read("tokenizer_config.json")?),
        false => serde_json::from_str("{}"),
    };
    let config: TokenizerConfig = config.map_err(|e| format!("tokenizer_config.json: {e}"))?;
    let source = sources(family).into_iter().find(|names| names.iter().all(|name| files.has(name)));
    let built = match source {
        Some(["vocab.txt"]) => word_pieces(&files.read("vocab.txt")?, &config)?,
        Some(["vocab.json", "merges.txt"]) => {
            byte_pairs(&files.read("vocab.json")?, &files.read("merges.txt")?, &config)?
        }
        Some(["sentencepiece.bpe.model"]) => sentencepiece::unigram(&files.read("sentencepiece.bpe.model")?)?,
        _ => return Err(LoadError::Files(missing(&files.location(), family))),
    };
    Ok(Cow::Owned(built.to_string().into_bytes()))
}

fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, LoadError> {
    std::str::from_utf8(bytes).map_err(|e| LoadError::Files(format!("{file}: {e}")))
}

/// Builds BERT's tokenizer (WordPiece). It splits words, which are in lower case by default, into the longest known
/// pieces.
fn word_pieces(vocab: &[u8], config: &TokenizerConfig) -> Result<Value, LoadError> {
    let lines = text("vocab.txt", vocab)?.lines();
    let ids: serde_json::Map<String, Value> =
        lines.zip(0u32..).map(|(line, id)| (line.to_owned(), id.into())).collect();
    let id = |token: &str| ids.get(token).cloned().ok_or_else(|| format!("vocab.txt has no {token}"));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let added = special.iter().filter_map(|token| Some(special_token(token, ids.get(*token)?))).collect::<Vec<_>>();
    let (first, last) = (id("[CLS]")?, id("[SEP]")?);
    id("[UNK]")?;
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": config.tokenize_chinese_chars,
            "strip_accents": config.strip_accents, "lowercase": config.do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": around(("[CLS]", &first), ("[SEP]", &last)),
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": ids,
        },
    }))
}

/// Builds RoBERTa's tokenizer (byte-level BPE). It merges pairs of adjacent pieces, which are single bytes at first, in
/// the order of `merges.txt`.
fn byte_pairs(vocab: &[u8], merges: &[u8], config: &TokenizerConfig) -> Result<Value, LoadError> {
    let ids: serde_json::Map<String, Value> = serde_json::from_slice(vocab).map_err(|e| format!("vocab.json: {e}"))?;
    let id = |token: &str| ids.get(token).cloned().ok_or_else(|| format!("vocab.json has no {token}"));
    let lines = text("merges.txt", merges)?.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
    let pairs = lines.map(|line| line.split_once(' ').map(|(left, right)| json!([left, right])));
    let pairs: Option<Vec<Value>> = pairs.collect();
    let malformed = || "merges.txt: a line must be two tokens with a space between them".to_owned();
    let pairs = pairs.ok_or_else(malformed)?;
    let (first, last) = (id("<s>")?, id("</s>")?);
    let special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
    let added = special.iter().filter_map(|token| Some(special_token(token, ids.get(*token)?))).collect::<Vec<_>>();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {
            "type": "ByteLevel", "add_prefix_space": config.add_prefix_space, "trim_offsets": true, "use_regex": true,
        },
        "post_processor": around(("<s>", &first), ("</s>", &last)),
        "decoder": null,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "vocab": ids, "merges": pairs,
        },
    }))
}

/// The definition of a token that is never split. The mask token includes the space before it.
fn special_token(token: &str, id: &Value) -> Value {
    json!({
        "id": id, "content": token, "single_word": false, "lstrip": token == "<mask>", "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// The definition of a post-processor that adds a token before and after a text.
fn around((first, first_id): (&str, &Value), (last, last_id): (&str, &Value)) -> Value {
    let special = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let other = json!({"Sequence": {"id": "B", "type_id": 0}});
    json!({
        "type": "TemplateProcessing",
        "single": [special(first), text, special(last)],
        "pair": [special(first), text, special(last), other, special(last)],
        "special_tokens": {
            first: {"id": first, "ids": [first_id], "tokens": [first]},
            last: {"id": last, "ids": [last_id], "tokens": [last]},
        },
    })
}
