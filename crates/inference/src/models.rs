//! Lists, downloads and describes models without loading them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::calibration;
use super::durable;
use super::files::ModelFiles;
use super::hub;
use super::labels::{HeadMap, Labelling};
use super::options::{CalibrationSource, InferenceOptions, ModelSource};
use super::source;
use super::spec::{HeadSpec, ModelSpec};
use super::weights::Weights;
use super::{InferenceError, LoadError};

pub use super::calibration::{Calibration, fit};
pub use super::hub::{HubError, HubModel, HubOptions, Snapshot, pull};

/// An available model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Available {
    /// The name of the model in `inference.model`.
    pub model: String,
    /// The commit of a model of the Hub; `None` for other models.
    pub commit: Option<String>,
    /// The folder of the model's files; `None` if they are embedded in the binary.
    pub folder: Option<PathBuf>,
    /// The architecture of the model; `None` if it is not known.
    pub architecture: Option<String>,
    /// Why the model cannot be used; `None` if it can.
    pub problem: Option<String>,
}

/// Lists the builtin model, the models of the Hub in the cache, and the folders in the options.
pub fn available(options: &InferenceOptions) -> Vec<Available> {
    let named = [Some(&options.model), options.emotion_model.as_ref()].into_iter().flatten();
    let folders = named.filter(|source| matches!(source, ModelSource::Directory(_)));
    let own = std::iter::once(&ModelSource::Builtin)
        .chain(folders)
        .map(|source| of_files(source.to_string(), None, source::find(source, &options.hub)));
    let cached = hub::cached(&options.hub).into_iter().map(|cached| {
        let commit = cached.snapshot.as_ref().ok().map(|snapshot| snapshot.commit.clone());
        of_files(
            cached.model.to_string(),
            commit,
            cached.snapshot.map(|snapshot| snapshot.files()).map_err(|error| LoadError::Files(error.to_string())),
        )
    });
    own.chain(cached).collect()
}

fn of_files(model: String, commit: Option<String>, files: Result<ModelFiles, LoadError>) -> Available {
    let folder = files.as_ref().ok().and_then(ModelFiles::folder).map(Path::to_owned);
    let spec = files.and_then(|files| ModelSpec::parse(&files.read("config.json")?));
    let (architecture, problem) = match spec {
        Ok(spec) => (Some(spec.architecture), None),
        Err(problem) => (None, Some(problem.to_string())),
    };
    Available { model, commit, folder, architecture, problem }
}

/// The description of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The name of the model in `inference.model`.
    pub model: String,
    /// The name stored with each analysis.
    pub name: String,
    /// The folder of the model's files; `None` if they are embedded in the binary.
    pub folder: Option<PathBuf>,
    /// The architecture of the model.
    pub architecture: String,
    /// The number of trained weights.
    pub parameters: u64,
    /// The number of layers.
    pub layers: usize,
    /// The width of a token vector.
    pub width: usize,
    /// The number of attention heads per layer.
    pub attention_heads: usize,
    /// The size of the vocabulary.
    pub vocabulary: usize,
    /// The maximum length of an input, in tokens.
    pub max_tokens: usize,
    /// The languages that the model declares; empty if it declares none.
    pub languages: Vec<String>,
    /// The classification heads of the model.
    pub heads: Vec<HeadDescription>,
    /// Properties of the model that make its sentiments misleading for some texts; usually empty.
    pub warnings: Vec<String>,
    /// The calibration of the model's confidences.
    pub calibration: Calibration,
}

/// A classification head of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeadDescription {
    /// What the head classifies: `sentiment` or `emotion`; null if the classes are not recognised.
    #[serde(rename = "judges")]
    pub classifies: Option<&'static str>,
    /// Whether the classes are independent of each other.
    pub independent: bool,
    /// The classes in the order of the outputs, each with the label that it maps to.
    pub classes: Vec<(String, Option<String>)>,
    /// Why the classes are not recognised, and which setting solves this.
    pub problem: Option<String>,
}

/// Describes a model. A model of the Hub must be in the cache.
///
/// # Errors
/// When the model is not available, or its files are invalid.
pub fn describe(source: &ModelSource, options: &InferenceOptions) -> Result<Description, InferenceError> {
    let describe = || -> Result<Description, LoadError> {
        let files = local_files(source, &options.hub)?;
        let spec = ModelSpec::parse(&files.read("config.json").map_err(LoadError::into_setting)?)?;
        let labels = options.labels_of(source);
        let labelling = Labelling { labels: &labels, neutral_margin: options.neutral_margin };
        Ok(Description {
            model: source.to_string(),
            name: files.name().to_owned(),
            folder: files.folder().map(Path::to_owned),
            parameters: Weights::read(&files)?.count(),
            layers: spec.shape.n_layers,
            width: spec.shape.dim,
            attention_heads: spec.shape.n_heads,
            vocabulary: spec.shape.vocab_size,
            max_tokens: spec.max_tokens(),
            languages: spec.languages.clone(),
            warnings: warnings(files.name(), &spec, labelling),
            heads: spec.heads.iter().map(|head| head_description(head, labelling)).collect(),
            calibration: Calibration::of(&files, &options.calibration)?,
            architecture: spec.architecture,
        })
    };
    describe().map_err(|e| e.of_model(source))
}

/// Checks the model of a route without loading it. A model of the Hub that is not in the cache is checked only if
/// downloads are disabled.
///
/// # Errors
/// When the model is missing, is not a sentiment classifier, or does not declare all `languages`; when its emotion
/// model is missing or not supported.
pub fn check_route(options: &InferenceOptions, languages: &[String]) -> Result<(), InferenceError> {
    let model = &options.model;
    let setting = |reason: String| {
        let reason = format!("inference.routes: {reason}");
        InferenceError::Setting { model: model.to_string(), reason }
    };
    if let Some(spec) = local_spec(model, options)? {
        let labels = options.labels_of(model);
        let labelling = Labelling { labels: &labels, neutral_margin: options.neutral_margin };
        let mut classifies_sentiment = false;
        for head in &spec.heads {
            classifies_sentiment |= !HeadMap::new(head, labelling).map_err(|e| e.of_model(model))?.is_emotion();
        }
        if !classifies_sentiment {
            let reason = "the classes of the model are not sentiments (positive, negative); use a sentiment model";
            return Err(setting(reason.to_owned()));
        }
        let unknown = languages.iter().find(|lang| !spec.languages.is_empty() && !spec.languages.contains(lang));
        if let Some(lang) = unknown {
            let declared = spec.languages.join(", ");
            return Err(setting(format!("the model declares only {declared}; remove {lang:?}, or use another model")));
        }
    }
    match &options.emotion_model {
        Some(source) => local_spec(source, options).map(drop),
        None => Ok(()),
    }
}

/// Whether the models of `options` can be loaded without a request to the Hub.
pub fn is_local(options: &InferenceOptions) -> bool {
    let sources = [Some(&options.model), options.emotion_model.as_ref()];
    sources.into_iter().flatten().all(|source| local_files(source, &options.hub).is_ok())
}

/// The structure of a model on this machine; `None` for a model of the Hub that must be downloaded first.
fn local_spec(source: &ModelSource, options: &InferenceOptions) -> Result<Option<ModelSpec>, InferenceError> {
    let read = || -> Result<Option<ModelSpec>, LoadError> {
        if let ModelSource::Hub(model) = source
            && !options.hub.offline
            && hub::find(model, &options.hub).map_err(|e| LoadError::Setting(e.to_string()))?.is_none()
        {
            return Ok(None);
        }
        let files = local_files(source, &options.hub)?;
        ModelSpec::parse(&files.read("config.json").map_err(LoadError::into_setting)?).map(Some)
    };
    read().map_err(|e| e.of_model(source))
}

/// Finds the files of a model without a request to the Hub.
fn local_files(source: &ModelSource, options: &HubOptions) -> Result<ModelFiles, LoadError> {
    let ModelSource::Hub(model) = source else { return source::find(source, options) };
    let found = hub::find(model, options).map_err(|e| LoadError::Setting(e.to_string()))?;
    let snapshot = found.ok_or_else(|| {
        let cache = options.cache.display();
        LoadError::Setting(format!("the model is not in {cache}; download it with `sentistream models pull {model}`"))
    })?;
    Ok(snapshot.files())
}

/// The warnings of all sentiment heads whose classes are recognised.
fn warnings(name: &str, spec: &ModelSpec, labelling: Labelling<'_>) -> Vec<String> {
    let heads = spec.heads.iter().filter_map(|head| Some((HeadMap::new(head, labelling).ok()?, head)));
    let sentiment = heads.filter(|(map, _)| !map.is_emotion());
    sentiment.flat_map(|(map, head)| map.warnings(name, &head.classes)).collect()
}

fn head_description(head: &HeadSpec, labelling: Labelling<'_>) -> HeadDescription {
    let map = HeadMap::new(head, labelling);
    let meanings = match &map {
        Ok(map) => map.meanings().into_iter().map(|meaning| Some(meaning.to_owned())).collect(),
        Err(_) => vec![None; head.classes.len()],
    };
    HeadDescription {
        classifies: map.as_ref().ok().map(|map| if map.is_emotion() { "emotion" } else { "sentiment" }),
        independent: head.independent,
        classes: head.classes.iter().cloned().zip(meanings).collect(),
        problem: map.err().map(|error| error.to_string()),
    }
}

/// The paths of the calibration files of the heads in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalibrationFiles {
    /// The file of the sentiment head; `None` if the model is embedded in the binary.
    pub sentiment: Option<PathBuf>,
    /// The file of the emotion head; `None` if the model is embedded in the binary, or no model with this head is set.
    pub emotion: Option<PathBuf>,
}

/// The paths of the calibration files in the folders of the models in use. If the options name a calibration file, it
/// is used for both heads.
///
/// # Errors
/// When a model is not available.
pub fn calibration_files(options: &InferenceOptions) -> Result<CalibrationFiles, InferenceError> {
    if let CalibrationSource::File(path) = &options.calibration {
        return Ok(CalibrationFiles { sentiment: Some(path.clone()), emotion: Some(path.clone()) });
    }
    let beside = |source: &ModelSource| -> Result<Option<PathBuf>, InferenceError> {
        let files = local_files(source, &options.hub).map_err(|e| e.of_model(source))?;
        Ok(files.path(calibration::FILE))
    };
    let sentiment = beside(&options.model)?;
    let emotion = match &options.emotion_model {
        Some(source) => beside(source)?,
        None if describe(&options.model, options)?.heads.iter().any(|head| head.classifies == Some("emotion")) => {
            sentiment.clone()
        }
        None => None,
    };
    Ok(CalibrationFiles { sentiment, emotion })
}

/// The error that a calibration cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot write {}: {reason}; choose another file with --calibration-out, and set inference.calibration to it",
    path.display()
)]
pub struct CalibrationError {
    path: PathBuf,
    reason: String,
}

/// Writes a calibration. Values of other heads in the file are kept.
///
/// # Errors
/// When the file is invalid or cannot be written.
pub fn store_calibration(path: &Path, new: &Calibration) -> Result<(), CalibrationError> {
    let fail = |e: &dyn std::fmt::Display| CalibrationError { path: path.to_owned(), reason: e.to_string() };
    let old = match std::fs::read(path) {
        Ok(json) => Calibration::parse(&json).map_err(|e| fail(&e))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Calibration::default(),
        Err(e) => return Err(fail(&e)),
    };
    let both = Calibration {
        sentiment: new.sentiment.clone().or(old.sentiment),
        emotion: new.emotion.clone().or(old.emotion),
    };
    let json = serde_json::to_string_pretty(&both).map_err(|e| fail(&e))?;
    // The file is replaced atomically, because another process may be reading it.
    durable::replace(path, (json + "\n").as_bytes(), durable::folder_of(path)).map_err(|e| fail(&e))
}

/// The first key of `labels` that is not a class of the models, and the classes of the models for the error message.
pub(super) fn unknown_labels<'a>(
    labels: &'a BTreeMap<String, String>,
    specs: &[&ModelSpec],
) -> Option<(&'a str, String)> {
    let classes = || specs.iter().flat_map(|spec| &spec.heads).flat_map(|head| &head.classes);
    let unknown = labels.keys().find(|label| classes().all(|class| class != *label))?;
    Some((unknown, classes().map(String::as_str).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_calibration_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(calibration::FILE);
        // A link to itself cannot be read, even by root.
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(store_calibration(&path, &Calibration::default()).is_err());
        assert!(path.is_symlink());
    }

    #[test]
    fn calibration_file_is_replaced_atomically() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(calibration::FILE);
        let fit = |temperature: f64| -> calibration::HeadFit {
            let fit = serde_json::json!({
                "temperature": temperature, "fitted_on": 1, "measured_on": 1,
                "ece_before": 0.2, "ece_after": 0.1, "nll_before": 0.2, "nll_after": 0.1
            });
            serde_json::from_value(fit).unwrap()
        };
        let first = Calibration { sentiment: Some(fit(1.5)), emotion: None };
        store_calibration(&path, &first).unwrap();
        // The second link keeps the old file. Its content shows whether the calibration was written in place.
        let old = folder.path().join("old");
        std::fs::hard_link(&path, &old).unwrap();
        // A path that an earlier version used for its temporary file.
        std::fs::create_dir(path.with_extension("json.new")).unwrap();
        store_calibration(&path, &Calibration { sentiment: None, emotion: Some(fit(2.0)) }).unwrap();

        let stored = |path: &Path| Calibration::parse(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(stored(&old), first);
        assert_eq!(stored(&path), Calibration { sentiment: Some(fit(1.5)), emotion: Some(fit(2.0)) });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
