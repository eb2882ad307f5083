//! Resolves handles of accounts to DIDs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::super::SourceError;
use super::super::fetch::{Fetcher, json};

/// The maximum number of accounts per request (<https://docs.bsky.app/docs/api/app-bsky-actor-get-profiles>).
pub const PER_REQUEST: usize = 25;

/// Resolves handles in bulk. The DIDs are cached for the case that the API becomes unavailable.
pub struct Handles {
    api: Url,
    known: Mutex<BTreeMap<String, String>>,
}

/// The result of resolving accounts.
#[derive(Default)]
pub struct Resolved {
    /// The DIDs of all accounts that were resolved, including those that were given as DIDs.
    pub dids: BTreeSet<String>,
    /// Handles for which no account was found, and errors of failed requests.
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
struct Profiles {
    profiles: Vec<Profile>,
}

/// The profile of an account. Only its names are read.
#[derive(Deserialize)]
pub struct Profile {
    /// The DID of the account, which never changes.
    pub did: String,
    /// The current handle of the account, without `@`.
    pub handle: String,
}

/// The profiles of up to [`PER_REQUEST`] accounts, given as DIDs or handles. Unknown accounts are left out.
///
/// # Errors
/// When the API at `api` fails.
pub async fn profiles(api: &Url, actors: &[String], fetcher: &Fetcher) -> Result<Vec<Profile>, SourceError> {
    let url = api.join("xrpc/app.bsky.actor.getProfiles");
    let mut url = url.map_err(|error| SourceError::Permanent(format!("api: {error}")))?;
    url.query_pairs_mut().extend_pairs(actors.iter().map(|actor| ("actors", actor)));
    Ok(json::<Profiles>(&fetcher.get(&url, HeaderMap::new()).await?)?.profiles)
}

impl Handles {
    /// Resolves handles with the API at `api`.
    pub fn new(api: Url) -> Self {
        Self { api, known: Mutex::default() }
    }

    /// The DIDs of `authors`, given as DIDs or handles. A handle whose request fails keeps its last known DID.
    ///
    /// # Errors
    /// When a request fails and no handle of this request is cached.
    pub async fn resolve(&self, authors: &[String], fetcher: &Fetcher) -> Result<Resolved, SourceError> {
        let mut resolved = Resolved::default();
        let mut handles = Vec::new();
        for author in authors {
            match author.starts_with("did:") {
                true => drop(resolved.dids.insert(author.clone())),
                false => handles.push(author.trim_start_matches('@').to_lowercase()),
            }
        }
        for handles in handles.chunks(PER_REQUEST) {
            match profiles(&self.api, handles, fetcher).await {
                Ok(profiles) => {
                    self.note(profiles);
                    let missing = |handle: &String| format!("authors: found no account with the handle {handle:?}");
                    resolved.problems.extend(self.unknown(handles).into_iter().map(missing));
                }
                Err(error) if self.unknown(handles).len() == handles.len() => return Err(error),
                Err(error) => resolved.problems.push(format!("some handles in authors cannot be resolved: {error}")),
            }
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        resolved.dids.extend(handles.iter().filter_map(|handle| known.get(handle).cloned()));
        Ok(resolved)
    }

    fn note(&self, profiles: Vec<Profile>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(profiles.into_iter().map(|profile| (profile.handle.to_lowercase(), profile.did)));
    }

    /// The handles without a known DID.
    fn unknown<'a>(&self, handles: &'a [String]) -> Vec<&'a String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        handles.iter().filter(|handle| !known.contains_key(*handle)).collect()
    }
}
