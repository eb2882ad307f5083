//! The filters and tests of templates. Their work and the size of their output are limited.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, filters, tests};

use super::MAX_OUTPUT;

/// The maximum number of bytes that all filters of a template may read together.
const MAX_WORK: usize = 16 * 1024 * 1024;

/// Adds the filters and tests to an empty environment.
pub fn register(environment: &mut Environment<'_>) {
    let work = Work::default();
    add(environment, &work, "upper", str::to_uppercase);
    add(environment, &work, "lower", str::to_lowercase);
    add(environment, &work, "capitalize", capitalize);
    add(environment, &work, "title", title);
    add(environment, &work, "trim", trim);
    let replacing = work.clone();
    environment.add_filter("replace", move |value: Value, from: Value, to: Value| -> Result<String, Error> {
        replace(&replacing, (&value, &from, &to))
    });
    environment.add_filter("join", move |value: Value, separator: Option<Value>| -> Result<String, Error> {
        join(&work, &value, separator.as_ref())
    });
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("items", filters::items);
    environment.add_filter("round", filters::round);
    environment.add_filter("int", filters::int);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("string", tests::is_string);
    environment.add_test("number", tests::is_number);
}

/// The number of bytes that the filters of a template have read.
#[derive(Clone, Debug, Default)]
struct Work(Arc<AtomicUsize>);

impl Work {
    fn spend(&self, bytes: usize) -> Result<(), Error> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_WORK {
            return Err(invalid(
                "the filters of the template read more than 16 MiB: apply filters to fewer or shorter texts",
            ));
        }
        Ok(())
    }
}

fn add(environment: &mut Environment<'_>, work: &Work, name: &'static str, change: fn(&str) -> String) {
    let work = work.clone();
    environment.add_filter(name, move |value: Value| -> Result<String, Error> {
        let text = text_of(&value)?;
        work.spend(text.len())?;
        limited(change(&text))
    });
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

fn limited(text: String) -> Result<String, Error> {
    if text.len() > MAX_OUTPUT {
        return Err(invalid(format!("the output of a filter is longer than {MAX_OUTPUT} bytes")));
    }
    Ok(text)
}

/// The text of a single value. Lists and maps have no text, so that no filter writes a whole message into memory.
fn text_of(value: &Value) -> Result<Cow<'_, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.into());
    }
    match value.kind() {
        ValueKind::Undefined => Ok("".into()),
        ValueKind::None | ValueKind::Bool | ValueKind::Number => Ok(value.to_string().into()),
        kind => Err(invalid(format!("the filter needs a text, but the value is a {kind}"))),
    }
}

fn replace(work: &Work, (value, from, to): (&Value, &Value, &Value)) -> Result<String, Error> {
    let (text, from, to) = (text_of(value)?, text_of(from)?, text_of(to)?);
    if from.is_empty() {
        return Err(invalid("`replace` needs a text to replace"));
    }
    work.spend(text.len())?;
    let matches = text.matches(&*from).count();
    let length = (text.len() - matches * from.len()).saturating_add(matches.saturating_mul(to.len()));
    if length > MAX_OUTPUT {
        return Err(invalid(format!("the output of `replace` is longer than {MAX_OUTPUT} bytes")));
    }
    Ok(text.replace(&*from, &to))
}

fn join(work: &Work, value: &Value, separator: Option<&Value>) -> Result<String, Error> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Undefined) {
        return Err(invalid(format!("`join` needs a list, but the value is a {}", value.kind())));
    }
    let separator = separator.map(text_of).transpose()?.unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        let part = text_of(&item)?;
        if index > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&part);
        work.spend(part.len() + separator.len())?;
        if joined.len() > MAX_OUTPUT {
            return Err(invalid(format!("the output of `join` is longer than {MAX_OUTPUT} bytes")));
        }
    }
    Ok(joined)
}

/// Replaces an undefined value with `fallback`. If `replaces_empty` is set, a value that is null, empty or false is
/// replaced too.
fn default(value: Value, fallback: Option<Value>, replaces_empty: Option<bool>) -> Value {
    let is_missing = value.is_undefined() || (replaces_empty.unwrap_or(false) && !value.is_true());
    if is_missing { fallback.unwrap_or_else(|| Value::from("")) } else { value }
}

fn trim(text: &str) -> String {
    text.trim().to_owned()
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(char::to_uppercase).into_iter().flatten().collect();
    first + &chars.as_str().to_lowercase()
}

fn title(text: &str) -> String {
    text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '\'').map(capitalize).collect()
}
