//! Reads values of the settings of sources.

use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use super::super::urls::mask;
use super::super::values::InvalidSetting;
use crate::sources::steam;

pub(super) fn websockets<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(de)?;
    let valid = |host: &String| Url::parse(host).is_ok_and(|url| matches!(url.scheme(), "ws" | "wss"));
    match hosts.iter().find(|host| !valid(host)) {
        _ if hosts.is_empty() => Err(D::Error::custom("name at least one host such as \"wss://HOST/subscribe\"")),
        Some(wrong) => Err(D::Error::custom(format!("expected wss://HOST/subscribe, found {wrong:?}"))),
        None => Ok(hosts),
    }
}

/// Reads DIDs and handles (in lower case, without `@`), without duplicates.
pub(super) fn accounts<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let mut accounts = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let account = text.trim().trim_start_matches('@');
        let account = if account.starts_with("did:") { account.to_owned() } else { account.to_lowercase() };
        let is_handle = account.contains('.')
            && account.split('.').all(|label| !label.is_empty())
            && account.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c));
        if !is_handle && !account.starts_with("did:") {
            let expected = "expected accounts such as \"ada.bsky.social\" or \"did:plc:…\"";
            return Err(D::Error::custom(format!("{expected}, found {text:?}")));
        }
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    Ok(accounts)
}

/// Reads ISO 639 language codes and converts them to lower case without a region, the form in which posts name their
/// language.
pub(super) fn languages<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let mut languages = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let code = text.trim().split(['-', '_']).next().unwrap_or_default().to_lowercase();
        if !(2..=3).contains(&code.len()) || !code.chars().all(|c| c.is_ascii_lowercase()) {
            let expected = "expected codes of languages such as \"en\" or \"pt\"";
            return Err(D::Error::custom(format!("{expected}, found {text:?}")));
        }
        if !languages.contains(&code) {
            languages.push(code);
        }
    }
    Ok(languages)
}

/// Reads http(s) URLs, without duplicates.
pub(super) fn web_urls<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<Url>, D::Error> {
    let mut urls: Vec<Url> = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let url = web_url(&text).map_err(D::Error::custom)?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    Ok(urls)
}

pub(super) fn web_url(text: &str) -> Result<Url, InvalidSetting> {
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let shown = || if text.contains('@') { mask(text) } else { text.to_owned() };
    url.ok_or_else(|| InvalidSetting::Form { expected: "an http or https URL", found: shown() })
}

/// Reads a base URL.
pub(super) fn base<'de, D: Deserializer<'de>>(de: D) -> Result<Url, D::Error> {
    web_url(&String::deserialize(de)?).map_err(D::Error::custom)
}

/// Reads a base URL whose path is a folder. A missing slash at its end is added.
pub(super) fn folder<'de, D: Deserializer<'de>>(de: D) -> Result<Url, D::Error> {
    let text = String::deserialize(de)?;
    web_url(&format!("{}/", text.trim().trim_end_matches('/'))).map_err(D::Error::custom)
}

/// Reads hosts or base URLs, without duplicates.
pub(super) fn bases<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<Url>, D::Error> {
    let mut bases: Vec<Url> = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let url = if text.contains("://") { text } else { format!("https://{text}") };
        let url = web_url(&format!("{}/", url.trim_end_matches('/'))).map_err(D::Error::custom)?;
        let is_account = !url.username().is_empty() || url.password().is_some();
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || is_account {
            let (host, found) = (url.host_str().unwrap_or_default(), mask(url.as_str()));
            return Err(D::Error::custom(format!(
                "expected an instance such as {host:?} without a path or an account, found {found}"
            )));
        }
        if !bases.contains(&url) {
            bases.push(url);
        }
    }
    Ok(bases)
}

pub(super) fn tags<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let valid = |tag: &str| !tag.is_empty() && tag.chars().all(|c| c.is_alphanumeric() || "_·".contains(c));
    names(de, "#", valid, "expected tags such as \"rust\"")
}

pub(super) fn subreddits<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<String>, D::Error> {
    let valid = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    names(de, "r/", valid, "expected names of subreddits such as \"rust\"")
}

/// Reads names in lower case and without `prefix`, without duplicates.
pub(super) fn names<'de, D: Deserializer<'de>>(
    de: D,
    prefix: &str,
    valid: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<Vec<String>, D::Error> {
    let mut names = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let name = text.trim().trim_start_matches('/').trim_start_matches(prefix).to_lowercase();
        if !valid(&name) {
            return Err(D::Error::custom(format!("{expected}, found {text:?}")));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Reads the name of a header, in lower case. An empty text is allowed.
pub(super) fn header_name<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let name = String::deserialize(de)?.trim().to_ascii_lowercase();
    match name.len() <= 100 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        true => Ok(name),
        false => {
            Err(D::Error::custom(format!("expected the name of a header such as \"X-Signature\", found {name:?}")))
        }
    }
}

/// Reads numbers of games, or the URLs of their pages, without duplicates.
pub(super) fn apps<'de, D: Deserializer<'de>>(de: D) -> Result<Vec<u32>, D::Error> {
    let mut apps = Vec::new();
    for text in Vec::<String>::deserialize(de)? {
        let number = text.trim().rsplit_once("/app/").map_or(text.trim(), |(_, path)| path);
        let number = number.split(['/', '?']).next().unwrap_or_default();
        let Some(app) = number.parse::<u32>().ok().filter(|app| *app > 0) else {
            let expected = "expected numbers of games as in https://store.steampowered.com/app/620/, such as \"620\"";
            return Err(D::Error::custom(format!("{expected}, found {text:?}")));
        };
        if !apps.contains(&app) {
            apps.push(app);
        }
    }
    Ok(apps)
}

/// Reads Steam's name of a language.
pub(super) fn steam_language<'de, D: Deserializer<'de>>(de: D) -> Result<String, D::Error> {
    let name = String::deserialize(de)?.trim().to_lowercase();
    match name == "all" || steam::is_language(&name) {
        true => Ok(name),
        false => Err(D::Error::custom(format!(
            "expected \"all\" or Steam's name of a language such as \"english\" or \"schinese\", found {name:?}"
        ))),
    }
}
