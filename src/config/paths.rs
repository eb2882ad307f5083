//! Resolves relative paths of the configuration file against the folder of the file.

use toml::Value;

use super::layers::Setting;
use super::origin::Origin;

/// Keys of sources that name a file or a folder.
const OF_SOURCES: [&str; 3] = ["path", "opml", "zstd_dictionary"];
/// Keys outside of sources that may name a file or a folder.
const OTHERS: [&str; 7] = [
    "database.backup_folder",
    "inference.model",
    "inference.emotion_model",
    "inference.routes.model",
    "inference.routes.emotion_model",
    "inference.calibration",
    "inference.hub.home",
];
/// Values of [`OTHERS`] that are not paths.
const WORDS: [&str; 5] = ["builtin", "auto", "off", "none", "same"];

/// Resolves the relative paths that a configuration file sets, so that the file has the same effect from any working
/// folder. Paths in flags and in the environment stay relative to the working folder. The path in `database.url` is
/// resolved separately.
pub fn resolve(settings: &mut [Setting]) {
    for Setting { key, value, origin } in settings {
        if let Origin::File { path, .. } = origin
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        {
            join(key, value, folder);
        }
    }
}

fn join(key: &str, value: &mut Value, folder: &std::path::Path) {
    match value {
        Value::String(text) if is_path(key, text) => *text = folder.join(&*text).to_string_lossy().into_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| join(key, value, folder)),
        Value::Table(table) => {
            table.iter_mut().for_each(|(name, value)| join(&format!("{key}.{name}"), value, folder));
        }
        _ => {}
    }
}

fn is_path(key: &str, text: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    let is_named = last.ends_with("_file")
        || key.contains(".secret_files.")
        || (key.starts_with("sources.") && OF_SOURCES.contains(&last))
        || (OTHERS.contains(&key) && !text.starts_with("hf:") && !WORDS.contains(&text));
    is_named && !text.is_empty()
}
