//! The posts that an alert cites, and the removal of such citations.

use std::collections::BTreeSet;

use serde_json::Value;

/// The posts that an alert's `details` cite: those of `evidence` and of `top_authors`.
pub fn cited_posts(details: &Value) -> BTreeSet<String> {
    let evidence = entries(details, "evidence").filter_map(cited_post);
    let authors =
        entries(details, "top_authors").flat_map(|author| entries(author, "post_ids")).filter_map(Value::as_str);
    evidence.chain(authors).map(str::to_owned).collect()
}

fn entries<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn cited_post(evidence: &Value) -> Option<&str> {
    evidence.get("post_id").and_then(Value::as_str)
}

/// `details` without citations of the posts for which `gone` returns `true`. An author is removed when all cited posts
/// of this author are deleted.
pub fn without_evidence(details: &str, gone: &dyn Fn(&str) -> bool) -> String {
    let Ok(mut details) = serde_json::from_str::<Value>(details) else { return details.to_owned() };
    if let Some(evidence) = details.get_mut("evidence").and_then(Value::as_array_mut) {
        evidence.retain(|cited| !cited_post(cited).is_some_and(gone));
    }
    if let Some(authors) = details.get_mut("top_authors").and_then(Value::as_array_mut) {
        authors.retain_mut(|author| {
            let Some(posts) = author.get_mut("post_ids").and_then(Value::as_array_mut) else { return true };
            posts.retain(|id| !id.as_str().is_some_and(gone));
            !posts.is_empty()
        });
    }
    details.to_string()
}

/// The details of an alert without the citations of an author.
pub struct WithoutAuthor {
    /// The remaining details, as JSON.
    pub details: String,
    /// The number of posts that were cited.
    pub citations: i64,
}

/// `details` without the citations of this author on this source; `None` if `details` does not cite the author.
pub fn without_author(details: &str, source: &str, author: &str) -> Option<WithoutAuthor> {
    let mut details: Value = serde_json::from_str(details).ok()?;
    let theirs = |cited: &Value| {
        let is = |name: &str, value: &str| cited.get(name).and_then(Value::as_str) == Some(value);
        is("author", author) && is("source", source)
    };
    let mut remove = |name: &str| {
        let Some(list) = details.get_mut(name).and_then(Value::as_array_mut) else { return 0 };
        let before = list.len();
        list.retain(|cited| !theirs(cited));
        before - list.len()
    };
    let (posts, names) = (remove("evidence"), remove("top_authors"));
    let citations = i64::try_from(posts).unwrap_or(i64::MAX);
    (posts + names > 0).then(|| WithoutAuthor { details: details.to_string(), citations })
}
