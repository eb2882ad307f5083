//! Environment variables as a layer: `SENTISTREAM__SECTION__KEY`, and the names from older versions, which have lower
//! precedence.

use std::collections::BTreeMap;

use super::layers::Layers;
use super::origin::Origin;

const PREFIX: &str = "SENTISTREAM__";

/// A copy of the environment variables of the process. The default is empty, so that tests do not depend on the
/// variables of their process.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Variables of older versions whose value is used unchanged, and the key that each variable sets.
const LEGACY: [(&str, &str); 13] = [
    ("DATABASE_URL", "database.url"),
    ("REDIS_STREAM_NAME", "stream.name"),
    ("REDIS_CONSUMER_GROUP", "stream.group"),
    ("REDIS_CACHE_PREFIX", "cache.prefix"),
    ("EXTERNAL_LLM_PROVIDER", "llm.provider"),
    ("EXTERNAL_LLM_API_KEY", "llm.api_key"),
    ("EXTERNAL_LLM_MODEL", "llm.model"),
    ("LOG_LEVEL", "log.level"),
    ("HF_HOME", "inference.hub.home"),
    ("HF_TOKEN", "inference.hub.token"),
    ("HF_ENDPOINT", "inference.hub.endpoint"),
    ("ALERT_NEGATIVE_RATIO_THRESHOLD", "alerts.negative_ratio"),
    ("ALERT_MIN_POSTS", "alerts.min_posts"),
];

impl Environment {
    /// The variables of this process, without those that are not valid UTF-8.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable. `None` if the variable is unset or empty, because compose files pass unset variables as
    /// empty ones.
    fn legacy(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Adds these variables to `layers`.
    pub fn add_to(&self, layers: &mut Layers) {
        let mut add = |name: &str, key: &str, text: &str| layers.add_text(key, text, Origin::Legacy(name.to_owned()));
        for (name, key) in LEGACY {
            if let Some(value) = self.legacy(name) {
                add(name, key, value);
            }
        }
        for (name, key) in [("HUGGINGFACE_MODEL", "inference.model"), ("EMOTION_MODEL", "inference.emotion_model")] {
            if let Some(value) = self.legacy(name) {
                add(name, key, &model(value));
            }
        }
        if let Some(value) = self.legacy("HF_HUB_OFFLINE") {
            // The tools of the Hugging Face Hub treat the same values as true.
            let is_true = ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str());
            add("HF_HUB_OFFLINE", "inference.hub.offline", if is_true { "true" } else { "false" });
        }
        if let Some(minutes) = self.legacy("ALERT_WINDOW_MINUTES") {
            add("ALERT_WINDOW_MINUTES", "alerts.window", &format!("{minutes}min"));
        }
        if let Some(url) = self.legacy("REDIS_URL") {
            add("REDIS_URL", "stream.url", url);
        } else if let Some((name, host, port)) = self.host_and_port("REDIS", ("localhost", "6379")) {
            add(&name, "stream.url", &format!("redis://{host}:{port}"));
        }
        if let Some((name, host, port)) = self.host_and_port("API", ("127.0.0.1", "8000")) {
            add(&name, "server.listen", &format!("{host}:{port}"));
        }
        for (name, value) in &self.0 {
            if let Some(key) = name.strip_prefix(PREFIX) {
                let key = key.to_lowercase().replace("__", ".");
                layers.add_text(&key, value, Origin::Variable(name.clone()));
            }
        }
    }

    /// The names of the variables that are set, the host and the port. `None` if neither `…_HOST` nor `…_PORT` is set.
    fn host_and_port(&self, prefix: &str, default: (&str, &str)) -> Option<(String, String, String)> {
        let (host_name, port_name) = (format!("{prefix}_HOST"), format!("{prefix}_PORT"));
        let (host, port) = (self.legacy(&host_name), self.legacy(&port_name));
        let name = match (host, port) {
            (None, None) => return None,
            (Some(_), None) => host_name.clone(),
            (None, Some(_)) => port_name.clone(),
            (Some(_), Some(_)) => format!("{host_name}, {port_name}"),
        };
        let host = host.unwrap_or(default.0);
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        Some((name, host, port.unwrap_or(default.1).to_owned()))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Adds the prefix `hf:` to the name of a Hub repository. The variables of older versions hold a path, or a repository
/// name without the prefix.
fn model(value: &str) -> String {
    let is_path = value.starts_with(['/', '.', '~']) || std::path::Path::new(value).is_dir();
    if value == "builtin" || value.starts_with("hf:") || is_path { value.to_owned() } else { format!("hf:{value}") }
}
