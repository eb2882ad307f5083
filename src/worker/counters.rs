//! The metrics of analysed and settled posts.

use std::collections::BTreeMap;

use super::disposition::Work;
use crate::domain::Analysis;
use crate::language::SupportedLanguages;
use crate::store::settle::Settled;

/// Counts parts of texts that were classified.
pub fn count_parts(parts: usize) {
    if parts > 0 {
        metrics::counter!("sentistream_topic_parts_total").increment(parts as u64);
    }
}

/// Counts analyses of posts by model.
pub fn count_by_model<'a>(analyses: impl IntoIterator<Item = &'a Analysis>) {
    let mut by_model: BTreeMap<&str, u64> = BTreeMap::new();
    for analysis in analyses {
        *by_model.entry(&analysis.model_name).or_default() += 1;
    }
    for (model, posts) in by_model {
        metrics::counter!("sentistream_model_posts_total", "model" => model.to_owned()).increment(posts);
    }
}

/// Counts settled posts in languages that the main model does not support, by their handling (`route`, `skip`, …).
pub fn count_others(works: &[Work<'_>], settled: &[Settled], languages: SupportedLanguages<'_>) {
    for (work, settled) in works.iter().zip(settled) {
        let Some(post) = work.task.op.post().filter(|_| settled.outcome.is_some()) else { continue };
        let lang = post.lang.as_deref();
        if languages.is_other(lang) {
            let handling = if work.route.is_some() { "route" } else { languages.handling(lang).as_str() };
            metrics::counter!("sentistream_other_languages_total", "handling" => handling).increment(1);
        }
    }
}
