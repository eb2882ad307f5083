//! This project's engine, called as a worker calls it.

use sentistream::inference::{Classifier, Engine, InferenceOptions};

use super::{Contender, Failure, Labels};

/// Posts per call, and calls at once: a worker's claims and its tasks.
const REQUEST: usize = 128;
const CALLERS: usize = 4;

pub struct Ours {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
}

impl Ours {
    pub fn load(precision: &str, threads: Option<usize>) -> Result<Self, Failure> {
        let settings = InferenceOptions { precision: precision.parse()?, threads, ..InferenceOptions::default() };
        let engine = Engine::load(&settings)?;
        Ok(Self { engine, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    async fn share(&self, posts: &[String]) -> Result<(Vec<Labels>, u64), Failure> {
        let (mut labels, mut tokens) = (Vec::with_capacity(posts.len()), 0);
        for posts in posts.chunks(REQUEST) {
            for analysis in self.engine.classify(posts.to_vec()).await? {
                labels.push([analysis.sentiment.index(), analysis.emotion.index()]);
                tokens += u64::from(analysis.tokens);
            }
        }
        Ok((labels, tokens))
    }
}

impl Contender for Ours {
    fn judge(&self, posts: &[String]) -> Result<(Vec<Labels>, u64), Failure> {
        let shares = posts.chunks(posts.len().div_ceil(CALLERS)).map(|posts| self.share(posts));
        let shares = self.runtime.block_on(futures_util::future::try_join_all(shares))?;
        let tokens = shares.iter().map(|(_, tokens)| tokens).sum();
        Ok((shares.into_iter().flat_map(|(labels, _)| labels).collect(), tokens))
    }
}
