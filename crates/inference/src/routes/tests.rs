use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;

use super::*;
use crate::{Classifier, ModelInfo, explain};
use sentistream_core::domain::{Analysis, Scores, Timestamp};

struct Named(ModelInfo);

impl Classifier for Named {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        let analysis = |_| Analysis::from_scores((&*self.0.name).into(), Scores::default(), 1, false);
        let analyses = texts.into_iter().map(analysis).collect();
        async { Ok(analyses) }.boxed()
    }

    fn info(&self) -> &ModelInfo {
        &self.0
    }
}

fn named(name: &str) -> SharedClassifier {
    Arc::new(Named(ModelInfo {
        name: name.to_owned(),
        architecture: "none".to_owned(),
        precision: "f32".to_owned(),
        max_tokens: 8,
        parameters: 0,
        layers: 0,
        exits: Vec::new(),
        int8_agreement: None,
        languages: Vec::new(),
        warnings: Vec::new(),
        load_ms: 0,
    }))
}

/// Counts the loads of a model, and makes the first loads fail.
#[derive(Clone, Default)]
struct Loads {
    count: Arc<AtomicUsize>,
    failures: usize,
}

impl Loads {
    fn route(&self, languages: &[&str], model: &'static str) -> RouteSpec {
        let loads = self.clone();
        let load: Load = Arc::new(move || {
            let fails = loads.count.fetch_add(1, Ordering::SeqCst) < loads.failures;
            async move { if fails { Err(InferenceError::Unavailable("no network".to_owned())) } else { Ok(named(model)) } }
                .boxed()
        });
        RouteSpec {
            languages: languages.iter().map(|lang| (*lang).to_owned()).collect(),
            model: model.to_owned(),
            load,
        }
    }

    fn seen(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

const UNUSED: Duration = Duration::from_secs(900);

fn options(clock: &Clock) -> RoutesOptions {
    let detect: Detect = |text| text.contains("nicht").then_some("de");
    RoutesOptions {
        wait: Duration::from_secs(60),
        unload_after: Some(UNUSED),
        detect: Some(detect),
        clock: clock.clone(),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn model_loads_at_first_use_and_is_released_when_unused() {
    let clock = Clock::fixed(Timestamp::EPOCH);
    let loads = Loads::default();
    let routes = Routes::new(vec![loads.route(&["de", "fr"], "multi")], options(&clock));
    assert!(routes.of(Some("en")).is_none() && routes.of(None).is_none());
    let german = routes.of(Some("de-AT")).unwrap();
    assert_eq!((german.status().state, loads.seen()), (RouteState::Unloaded, 0));
    let (one, other) =
        tokio::join!(german.classify(texts(&["a"])), routes.of(Some("fr")).unwrap().classify(texts(&["b"])));
    assert!(one.unwrap().is_some() && other.unwrap().is_some());
    assert_eq!((german.status().state, german.status().posts, loads.seen()), (RouteState::Connected, 2, 1));
    clock.set(clock.now() + UNUSED / 2);
    routes.release_unused();
    assert_eq!(german.status().state, RouteState::Connected);
    german.classify(texts(&["a"])).await.unwrap();
    clock.set(clock.now() + UNUSED);
    routes.release_unused();
    assert_eq!(german.status().state, RouteState::Unloaded);
    assert!(german.classify(texts(&["a"])).await.unwrap().is_some());
    assert_eq!(loads.seen(), 2);
}

#[tokio::test]
async fn failed_load_leaves_posts_unscored_and_is_retried_later() {
    let clock = Clock::fixed(Timestamp::EPOCH);
    let loads = Loads { failures: 1, ..Loads::default() };
    let routes = Routes::new(vec![loads.route(&["de"], "multi")], options(&clock));
    let german = routes.of(Some("de")).unwrap();
    assert!(german.classify(texts(&["a"])).await.unwrap().is_none());
    let status = german.status();
    assert!(status.state == RouteState::Failed && status.reason.unwrap().contains("no network"));
    assert!(german.classify_late(texts(&["a"])).await.is_err(), "no attempt follows before the pause has passed");
    assert_eq!(loads.seen(), 1);
    clock.set(clock.now() + Duration::from_secs(30));
    assert!(german.classify_late(texts(&["a"])).await.is_ok());
    assert!(german.classify(texts(&["a"])).await.unwrap().is_none(), "older posts are analysed first");
    german.caught_up();
    assert!(german.classify(texts(&["a"])).await.unwrap().is_some());
}

#[tokio::test]
async fn interactive_text_is_sent_to_the_model_for_its_language() {
    let clock = Clock::fixed(Timestamp::EPOCH);
    let loads = Loads::default();
    let routes = Routes::new(vec![loads.route(&["de"], "german")], options(&clock));
    let classifier = routes.over(named("main"));
    let given = texts(&["nicht gut", "fine", "gar nicht"]);
    let analyses = classifier.classify_interactive(given).await.unwrap();
    let models: Vec<&str> = analyses.iter().map(|analysis| &*analysis.model_name).collect();
    assert_eq!(models, ["german", "main", "german"]);
    let own = classifier.of_text("nicht gut").await.unwrap();
    assert_eq!(own.map(|own| own.info().name.clone()), Some("german".to_owned()));
    let own = classifier.of_text("fine").await.unwrap();
    assert_eq!(own.map(|own| own.info().name.clone()), Some("main".to_owned()));
}

#[tokio::test]
async fn explanation_of_a_text_without_a_route_uses_one_model() {
    let clock = Clock::fixed(Timestamp::EPOCH);
    let loads = Loads::default();
    // Without its first word, the text is detected as German.
    let detect: Detect = |text| (!text.contains("fine")).then_some("de");
    let options = RoutesOptions { detect: Some(detect), ..options(&clock) };
    let routes = Routes::new(vec![loads.route(&["de"], "german")], options);
    let (whole, explanation) = explain(&*routes.over(named("main")), "fine day").await.unwrap();
    assert_eq!((&*whole.model_name, explanation.words.len()), ("main", 2));
    assert_eq!(loads.seen(), 0);
}
