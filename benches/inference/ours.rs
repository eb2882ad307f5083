//! The engine of SentiStream, called as a worker calls it.

use sentistream::domain::Analysis;
use sentistream::inference::{Classifier, Engine, ExitPolicy, InferenceOptions};

use super::{Contender, Failure, Options, Predictions};

/// The number of posts per call, as in a claim of a worker.
const REQUEST: usize = 128;
/// The number of concurrent calls, as from the tasks of a worker.
const CALLERS: usize = 4;

pub struct Ours {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

impl Ours {
    /// Loads the engine with the precision and the features in `name`. `PRECISION` has early exits and cached answers,
    /// as in production; `PRECISION-exits` has only early exits; `PRECISION-full` has neither.
    pub fn load(name: &str, options: &Options) -> Result<Self, Failure> {
        let mut settings = InferenceOptions { threads: options.threads, ..InferenceOptions::default() };
        settings.max_batch_tokens = options.batch_tokens.unwrap_or(settings.max_batch_tokens);
        let (precision, way) = name.split_once('-').unwrap_or((name, "product"));
        match way {
            "product" => {}
            "exits" => settings.answer_cache_bytes = 0,
            "full" => {
                settings.exits = ExitPolicy::Off;
                settings.answer_cache_bytes = 0;
            }
            other => return Err(format!("{other:?} is not a variant: use exits or full").into()),
        }
        settings.precision = precision.parse()?;
        let engine = Engine::load(&settings)?;
        Ok(Self { engine, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    async fn share(&self, posts: &[String]) -> Result<Predictions, Failure> {
        let mut predicted = Predictions::default();
        for posts in posts.chunks(REQUEST) {
            for analysis in self.engine.classify(posts.to_vec()).await? {
                predicted.work += self.work(&analysis);
                predicted.labels.push([analysis.sentiment.index(), analysis.emotion.index()]);
                predicted.tokens += u64::from(analysis.tokens);
            }
        }
        Ok(predicted)
    }

    /// The number of computed layers, summed over all tokens. Each early exit and the last layer compute only the first
    /// token.
    fn work(&self, analysis: &Analysis) -> f64 {
        let info = self.engine.info();
        let layers = analysis.layers.unwrap_or(info.layers);
        let first_only = info.exits.iter().filter(|exit| **exit <= layers).count() + usize::from(layers == info.layers);
        f64::from(layers - 1) * f64::from(analysis.tokens) + first_only as f64
    }
}

impl Contender for Ours {
    fn classify(&self, posts: &[String]) -> Result<Predictions, Failure> {
        let shares = posts.chunks(posts.len().div_ceil(CALLERS)).map(|posts| self.share(posts));
        let shares = self.runtime.block_on(futures_util::future::try_join_all(shares))?;
        let mut all = Predictions::default();
        shares.into_iter().for_each(|share| all.add(share));
        Ok(all)
    }
}
