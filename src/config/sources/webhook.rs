//! The settings of webhooks.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::super::values::*;
use super::Settings;
use super::read::header_name;
use crate::sources::mapping::Path;
use crate::sources::webhook::{Scheme, Signature};

/// The settings of a source with `kind = "webhook"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The secret that signs requests. Required when the source is read.
    #[serde(deserialize_with = "optional_secret")]
    pub secret: Option<SecretString>,
    /// The signature scheme.
    #[serde(deserialize_with = "word")]
    pub signature: Scheme,
    /// The header with the signature; empty: the default header of the scheme.
    #[serde(deserialize_with = "header_name")]
    pub signature_header: String,
    /// The largest difference between the time of a signature and the current time; 1 second to 1 hour.
    #[serde(deserialize_with = "duration::<_, 1_000, 3_600_000>")]
    pub tolerance: Duration,
    /// The path to the items in the body.
    #[serde(deserialize_with = "parsed")]
    pub items_path: Path,
    /// The path to the text in an item.
    #[serde(deserialize_with = "parsed")]
    pub text_path: Path,
    /// The path to the id in an item. `None`: ids are derived from author, time and text.
    #[serde(deserialize_with = "optional")]
    pub id_path: Option<Path>,
    /// The path to the author in an item.
    #[serde(deserialize_with = "optional")]
    pub author_path: Option<Path>,
    /// The path to the time in an item. `None`: the time of the request.
    #[serde(deserialize_with = "optional")]
    pub time_path: Option<Path>,
    /// The path to the URL in an item.
    #[serde(deserialize_with = "optional")]
    pub url_path: Option<Path>,
    /// The path to the language tag in an item. `None`: the language is detected.
    #[serde(deserialize_with = "optional")]
    pub lang_path: Option<Path>,
}

impl Settings for WebhookConfig {
    fn lacks(&self) -> Option<&'static str> {
        self.secret.is_none().then_some("secret")
    }

    fn contradiction(&self) -> Option<String> {
        let secret = self.secret.as_ref()?;
        let error = Signature::new(self.signature, secret.expose_secret(), ("", self.tolerance)).err()?;
        Some(format!("secret: {error}"))
    }
}
