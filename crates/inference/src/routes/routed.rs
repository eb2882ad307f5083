//! A classifier that sends each text to the model for its language.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};

use sentistream_core::domain::Analysis;

use super::{Route, Routes};
use crate::queue::{Lane, Way};
use crate::{Classifier, InferenceError, LayerDepth, ModelInfo, SharedClassifier, Speed};

/// Classifies each text with the model of the route for its detected language. Texts without a route are classified
/// with the main model.
pub struct Routed {
    main: SharedClassifier,
    routes: Routes,
}

impl Routed {
    pub fn new(main: SharedClassifier, routes: Routes) -> Self {
        Self { main, routes }
    }

    /// The index of the route for each text; `None` for the main model.
    async fn numbers(&self, texts: &[String]) -> Vec<Option<usize>> {
        let Some(detect) = self.routes.detector() else { return vec![None; texts.len()] };
        let (routes, owned) = (self.routes.clone(), texts.to_vec());
        let find = move || owned.iter().map(|text| routes.number_of(detect(text))).collect();
        // If the detection panics, the main model classifies all texts.
        tokio::task::spawn_blocking(find).await.unwrap_or_else(|_| vec![None; texts.len()])
    }

    async fn answer(&self, texts: Vec<String>, way: Way) -> Result<Vec<Analysis>, InferenceError> {
        let numbers = self.numbers(&texts).await;
        let mut groups: Vec<Group> = Vec::new();
        for (index, (text, number)) in texts.into_iter().zip(numbers).enumerate() {
            let place = groups.iter().position(|group| group.number == number).unwrap_or_else(|| {
                groups.push(Group { number, indices: Vec::new(), texts: Vec::new() });
                groups.len() - 1
            });
            groups[place].indices.push(index);
            groups[place].texts.push(text);
        }
        let answered = try_join_all(groups.into_iter().map(|group| self.classify_group(group, way))).await?;
        let mut all: Vec<(usize, Analysis)> = answered.into_iter().flatten().collect();
        all.sort_unstable_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, analysis)| analysis).collect())
    }

    async fn classify_group(&self, group: Group, way: Way) -> Result<Vec<(usize, Analysis)>, InferenceError> {
        let Group { number, indices, texts } = group;
        let route: Option<&Route> = number.and_then(|number| self.routes.all().get(number));
        let classifier = match route {
            Some(route) => route.ready().await?,
            None => self.main.clone(),
        };
        let analyses = match way.lane {
            Lane::Bulk => classifier.classify(texts).await?,
            Lane::Interactive => classifier.classify_with(texts, way.depth).await?,
        };
        if let Some(route) = route {
            route.counted(analyses.len());
        }
        Ok(indices.into_iter().zip(analyses).collect())
    }
}

/// The texts for one model, with their positions in the request.
struct Group {
    number: Option<usize>,
    indices: Vec<usize>,
    texts: Vec<String>,
}

impl Classifier for Routed {
    fn classify(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Way { lane: Lane::Bulk, depth: LayerDepth::Adaptive }).boxed()
    }

    fn classify_interactive(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.classify_with(texts, LayerDepth::Adaptive)
    }

    fn classify_with(
        &self,
        texts: Vec<String>,
        depth: LayerDepth,
    ) -> BoxFuture<'_, Result<Vec<Analysis>, InferenceError>> {
        self.answer(texts, Way { lane: Lane::Interactive, depth }).boxed()
    }

    fn of_text<'c>(&'c self, text: &'c str) -> BoxFuture<'c, Result<Option<SharedClassifier>, InferenceError>> {
        async move {
            let numbers = self.numbers(&[text.to_owned()]).await;
            match numbers.first().copied().flatten().and_then(|number| self.routes.all().get(number)) {
                Some(route) => route.ready().await.map(Some),
                None => Ok(Some(self.main.clone())),
            }
        }
        .boxed()
    }

    fn info(&self) -> &ModelInfo {
        self.main.info()
    }

    fn speed(&self) -> Option<Speed> {
        self.main.speed()
    }
}
