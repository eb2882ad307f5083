//! The builtin model in unmodified candle-transformers, with padded batches of posts of similar lengths.

use std::path::Path;

use candle_core::{DType, Device, IndexOp, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};
use candle_transformers::models::distilbert::{Config, DistilBertModel};
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

use super::{Contender, Failure, Labels, Predictions};

/// The number of posts per batch. They are padded to the same length.
const BATCH: usize = 32;
const MAX_TOKENS: usize = 512;

pub struct Stock {
    tokenizer: Tokenizer,
    model: DistilBertModel,
    /// The heads of sentiment and emotion, with two layers each.
    heads: [[Linear; 2]; 2],
}

impl Stock {
    pub fn load(threads: Option<usize>) -> Result<Self, Failure> {
        if threads.is_some() {
            return Err("candle always uses all cores: omit --threads, and limit the cores with `taskset`".into());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/model");
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(|e| e.to_string())?;
        let truncation = TruncationParams { max_length: MAX_TOKENS, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|e| e.to_string())?;
        let padding = PaddingParams { strategy: PaddingStrategy::BatchLongest, ..PaddingParams::default() };
        tokenizer.with_padding(Some(padding));
        let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let weights = std::fs::read(folder.join("model.safetensors"))?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        let head = |name: &str, classes| -> candle_core::Result<[Linear; 2]> {
            let weights = weights.pp(name);
            Ok([
                linear(config.dim, config.dim, weights.pp("pre_classifier"))?,
                linear(config.dim, classes, weights.pp("classifier"))?,
            ])
        };
        let heads = [head("sentiment", 3)?, head("emotion", 7)?];
        Ok(Self { tokenizer, model: DistilBertModel::load(weights, &config)?, heads })
    }

    fn batch(&self, posts: Vec<&str>) -> Result<(Vec<Labels>, u64), Failure> {
        let count = posts.len();
        let encodings = self.tokenizer.encode_batch_fast(posts, true).map_err(|e| e.to_string())?;
        let ids: Vec<u32> = encodings.iter().flat_map(tokenizers::Encoding::get_ids).copied().collect();
        let real = encodings.iter().flat_map(tokenizers::Encoding::get_attention_mask);
        let hidden: Vec<u8> = real.map(|&real| u8::from(real == 0)).collect();
        let tokens = hidden.iter().filter(|&&hidden| hidden == 0).count() as u64;
        let length = ids.len() / count;
        let ids = Tensor::from_vec(ids, (count, length), &Device::Cpu)?;
        let hidden = Tensor::from_vec(hidden, (count, 1, 1, length), &Device::Cpu)?;
        let first = self.model.forward(&ids, &hidden)?.i((.., 0))?.contiguous()?;
        let mut labels = vec![[0; 2]; count];
        for (head, [hidden, classes]) in self.heads.iter().enumerate() {
            let logits: Vec<Vec<f32>> = classes.forward(&hidden.forward(&first)?.relu()?)?.to_vec2()?;
            for (labels, logits) in labels.iter_mut().zip(logits) {
                let largest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                labels[head] = largest.ok_or("no classes")?;
            }
        }
        Ok((labels, tokens))
    }
}

impl Contender for Stock {
    fn classify(&self, posts: &[String]) -> Result<Predictions, Failure> {
        // Posts are sorted by their length in bytes, which is similar to their length in tokens, so that batches need
        // little padding.
        let mut order: Vec<usize> = (0..posts.len()).collect();
        order.sort_by_key(|&place| posts[place].len());
        let (mut labels, mut tokens) = (vec![[0; 2]; posts.len()], 0);
        for places in order.chunks(BATCH) {
            let (predicted, count) = self.batch(places.iter().map(|&place| posts[place].as_str()).collect())?;
            places.iter().zip(predicted).for_each(|(&place, predicted)| labels[place] = predicted);
            tokens += count;
        }
        Ok(Predictions { labels, tokens, work: 0.0 })
    }
}
