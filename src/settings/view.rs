//! The settings as the API shows them.

use serde::Serialize;
use serde_json::Value;

use crate::config::{self, KeyInfo, Origin, ValueKind, is_changeable, keys_described, section_help};
use crate::domain::Timestamp;
use crate::store::settings::StoredSetting;

use super::LiveSettings;

/// A setting with its value and where the value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SettingView {
    /// The key of the setting, as `section.key`.
    #[schema(example = "retention.posts")]
    pub key: String,
    /// What the value means, with its unit and limits.
    pub help: String,
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// The allowed values; empty if the setting has no fixed set of values.
    pub choices: Vec<String>,
    /// Whether an empty text means "not set".
    pub optional: bool,
    /// The current value. A secret is `***`; the password of a URL and the query of a web URL are masked too.
    #[schema(value_type = Value)]
    pub value: Value,
    /// The default value, which applies if no layer sets the setting. For a source with a custom name, the current
    /// value.
    #[schema(value_type = Value)]
    pub default: Value,
    /// Where the value comes from.
    pub origin: OriginView,
    /// Whether the API can change the setting now.
    pub editable: bool,
    /// Whether the setting can change while the server runs. A setting that the configuration sets is not `editable`,
    /// even if it is changeable.
    pub changeable: bool,
    /// The last change of the setting; null if the setting was never changed.
    pub stored: Option<StoredView>,
    /// The version of the setting, for `If-Match`; 0 if the setting was never changed.
    pub version: i64,
}

/// A section of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SectionView {
    /// The name of the section, such as `server.auth`; empty for the keys without a section.
    pub name: String,
    /// What the settings of the section configure.
    pub help: String,
}

/// The last change of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StoredView {
    /// The stored value; null after a reset.
    #[schema(value_type = Option<Value>)]
    pub value: Option<Value>,
    /// The stored value before the last change; null if there was none. To undo the change, store this value. If this
    /// value is null, reset the setting.
    #[schema(value_type = Option<Value>)]
    pub previous: Option<Value>,
    /// Who made the change.
    pub changed_by: String,
    /// When the change was made.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// Why the stored value is not used; null if it is used.
    pub ignored: Option<String>,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OriginView {
    /// The layer of the configuration that sets the value.
    pub layer: Layer,
    /// The file and line, the environment variable, or the flag that sets the value; empty for the layers `default` and
    /// `database`.
    #[schema(example = "sentistream.toml:12")]
    pub name: String,
}

/// A layer of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// No layer sets the value.
    Default,
    /// A change that is stored in the database.
    Database,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// A flag of the command line.
    Flag,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// A text.
    Text,
    /// A text whose value is never shown.
    Secret,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A duration as text, such as `15s`, `5min` or `1h 30min`.
    Duration,
    /// A list.
    List,
    /// A table.
    Table,
}

impl From<ValueKind> for SettingKind {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Text => Self::Text,
            ValueKind::Secret => Self::Secret,
            ValueKind::Integer => Self::Integer,
            ValueKind::Number => Self::Number,
            ValueKind::Boolean => Self::Boolean,
            ValueKind::Duration => Self::Duration,
            ValueKind::List => Self::List,
            ValueKind::Table => Self::Table,
        }
    }
}

impl From<&Origin> for OriginView {
    fn from(origin: &Origin) -> Self {
        let (layer, name) = match origin {
            Origin::Default => (Layer::Default, String::new()),
            Origin::Database => (Layer::Database, String::new()),
            Origin::File { path, line } => (Layer::File, format!("{}:{line}", path.display())),
            Origin::Legacy(name) | Origin::Variable(name) => (Layer::Environment, name.clone()),
            Origin::Flag(flag) => (Layer::Flag, flag.clone()),
        };
        Self { layer, name }
    }
}

impl LiveSettings {
    /// Every setting, in the order of the reference.
    pub fn list(&self) -> Vec<SettingView> {
        let current = self.0.in_force.load_full();
        let known = keys_described();
        let view = |shown: config::Shown| {
            let stored = current.stored.iter().find(|stored| stored.key == shown.key);
            let ignored = current.ignored.get(&shown.key).cloned();
            let info = known.iter().find(|info| info.key == shown.key);
            // The reference does not describe the settings of a source with a custom name.
            let info = info.cloned().unwrap_or_else(|| undescribed(&shown));
            let changeable = is_changeable(&info.key);
            SettingView {
                editable: changeable && matches!(shown.origin, Origin::Default | Origin::Database),
                changeable,
                help: info.help,
                kind: info.kind.into(),
                choices: info.choices,
                optional: info.is_optional,
                value: json(shown.value),
                default: json(info.default),
                origin: OriginView::from(&shown.origin),
                version: stored.map_or(0, |stored| stored.version),
                stored: stored.map(|stored| StoredView::new(stored, ignored)),
                key: shown.key,
            }
        };
        current.config.settings.shown().map(view).collect()
    }

    /// The setting with this key.
    pub fn get(&self, key: &str) -> Option<SettingView> {
        self.list().into_iter().find(|setting| setting.key == key)
    }

    /// The sections, in the order of the reference.
    pub fn sections(&self) -> Vec<SectionView> {
        let mut sections: Vec<SectionView> = Vec::new();
        for setting in self.config().settings.shown() {
            let name = setting.key.rsplit_once('.').map_or("", |(section, _)| section);
            if !sections.iter().any(|section| section.name == name) {
                sections.push(SectionView { name: name.to_owned(), help: section_help(name) });
            }
        }
        sections
    }
}

impl StoredView {
    fn new(stored: &StoredSetting, ignored: Option<String>) -> Self {
        Self {
            value: stored.value.clone(),
            previous: stored.previous.clone(),
            changed_by: stored.changed_by.clone(),
            changed_at: stored.changed_at,
            ignored,
        }
    }
}

fn undescribed(shown: &config::Shown) -> KeyInfo {
    KeyInfo {
        key: shown.key.clone(),
        help: String::new(),
        kind: ValueKind::of(&shown.value),
        choices: Vec::new(),
        is_optional: false,
        default: shown.value.clone(),
    }
}

fn json(value: toml::Value) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
