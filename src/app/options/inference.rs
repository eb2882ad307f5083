//! The options of the engine and of models for other languages.

use std::collections::BTreeMap;

use crate::config::{CalibrationRef, Config, DeviceRef, ModelRef, RouteConfig};
use crate::inference::{
    CalibrationSource, DeviceChoice, HubModel, HubOptions, InferenceOptions, MissingEmotions, ModelSource,
};

/// The options of the engine.
///
/// # Errors
/// When the engine does not support a configured value.
pub fn inference(config: &Config) -> anyhow::Result<InferenceOptions> {
    let inference = &config.inference;
    Ok(InferenceOptions {
        model: model(&inference.model),
        emotion_model: inference.emotion_model.as_ref().map(model),
        missing_emotions: MissingEmotions::Builtin,
        threads: inference.threads,
        cores: None,
        precision: inference.precision,
        device: match inference.device {
            DeviceRef::Auto => DeviceChoice::Auto,
            DeviceRef::Cpu => DeviceChoice::Cpu,
            DeviceRef::Cuda(number) => DeviceChoice::Cuda(number),
        },
        instructions: inference.instructions,
        exits: inference.exits,
        exit_thresholds: inference.exit_thresholds.clone(),
        answer_cache_bytes: inference.answer_cache_bytes,
        max_batch_tokens: inference.max_batch_tokens,
        max_windows: inference.max_windows,
        max_queued_texts: inference.max_queued_texts,
        max_wait: inference.max_wait,
        labels: inference.labels.clone(),
        emotion_labels: inference.emotion_labels.clone(),
        neutral_margin: inference.neutral_margin as f32,
        emotion_threshold: inference.emotion_threshold as f32,
        calibration: match &inference.calibration {
            CalibrationRef::Auto => CalibrationSource::Stored,
            CalibrationRef::Off => CalibrationSource::Off,
            CalibrationRef::File(path) => CalibrationSource::File(path.clone()),
        },
        hub: HubOptions {
            cache: inference.hub.cache(),
            endpoint: inference.hub.endpoint.clone(),
            token: inference.hub.token(),
            offline: inference.hub.offline,
            silence_limit: inference.hub.timeout,
        },
    })
}

/// The options of the engine of a route. Settings that describe `inference.model`, such as its labels, do not apply to
/// the route.
///
/// # Errors
/// When the engine does not support a configured value.
pub fn route(config: &Config, route: &RouteConfig) -> anyhow::Result<InferenceOptions> {
    let calibration = match &config.inference.calibration {
        CalibrationRef::Off => CalibrationSource::Off,
        CalibrationRef::Auto | CalibrationRef::File(_) => CalibrationSource::Stored,
    };
    Ok(InferenceOptions {
        model: model(&route.model),
        emotion_model: route.emotion_model.as_ref().map(model),
        missing_emotions: MissingEmotions::Neutral,
        exit_thresholds: BTreeMap::new(),
        labels: route.labels.clone(),
        emotion_labels: BTreeMap::new(),
        calibration,
        ..inference(config)?
    })
}

/// The model source of the engine.
pub fn model(reference: &ModelRef) -> ModelSource {
    match reference {
        ModelRef::Builtin => ModelSource::Builtin,
        ModelRef::Folder(path) => ModelSource::Directory(path.clone()),
        ModelRef::Hub { repository, revision } => {
            ModelSource::Hub(HubModel { repository: repository.clone(), revision: revision.clone() })
        }
    }
}
