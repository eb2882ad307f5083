//! What clients without the scope `admin` see of receivers: no parts that may contain secrets.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::error::ApiError;

/// Stands for a hidden text.
const HIDDEN: &str = "***";

/// `view` as JSON in which every URL is cut to its origin, and values of headers and arguments of commands are hidden.
///
/// # Errors
/// 500, which does not occur for the types of this crate.
pub fn receivers<T: Serialize>(view: &T) -> Result<Value, ApiError> {
    let mut json = serde_json::to_value(view).map_err(ApiError::internal)?;
    hide(&mut json);
    Ok(json)
}

fn hide(json: &mut Value) {
    match json {
        Value::String(text) => {
            if let Some(origin) = origin(text) {
                *text = origin;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(hide),
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("headers", Value::Object(headers)) => {
                        headers.iter_mut().for_each(|(_, value)| *value = HIDDEN.into());
                    }
                    ("command", Value::Array(command)) => {
                        command.iter_mut().skip(1).for_each(|argument| *argument = HIDDEN.into());
                    }
                    // What a receiver answers may repeat what it was sent.
                    ("answer", answer @ Value::String(_)) => *answer = HIDDEN.into(),
                    (_, value) => hide(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The origin of a URL; `None` for another text.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| url.has_host())?;
    let origin = url.origin().ascii_serialization();
    let is_whole = text.trim_end_matches('/') == origin;
    Some(if is_whole { text.to_owned() } else { format!("{origin}/{HIDDEN}") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_headers_arguments_and_answers_are_hidden() {
        let view = json!({
            "name": "on-call",
            "channel": {
                "kind": "webhook", "url": "https://user:pass@hooks.example.org:8443/T0/B1/secret?key=1",
                "headers": {"X-Key": "secret"}, "server": "https://ntfy.sh",
            },
            "log": [{"answer": "secret", "status": 200}],
            "spec": {"kind": "command", "command": ["/usr/bin/page", "--token", "secret"]},
        });
        let hidden = receivers(&view).unwrap();
        assert!(!hidden.to_string().contains("secret") && !hidden.to_string().contains("pass"), "{hidden}");
        assert_eq!(hidden["channel"]["url"], "https://hooks.example.org:8443/***");
        assert_eq!(hidden["channel"]["server"], "https://ntfy.sh");
        assert_eq!(hidden["spec"]["command"], json!(["/usr/bin/page", "***", "***"]));
        assert_eq!(hidden["log"][0]["status"], 200);
    }
}
