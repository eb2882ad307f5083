//! Removes parts that may contain secrets from descriptions of receivers, for clients without the scope `edit`.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use serde_json::Value;
use url::Url;

use super::auth::{Authorization, Scope};
use super::error::ApiError;

/// The paths whose responses describe receivers.
const PATHS: [&str; 3] = ["/api/alerts/receivers", "/api/alerts/deliveries", "/api/alerts/audit"];

/// Replaces a hidden text.
const HIDDEN: &str = "***";

/// Whether responses of `path` describe receivers.
pub fn applies(path: &str) -> bool {
    PATHS.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The middleware of the paths that describe receivers. For clients without the scope `edit` it reduces every URL in
/// the response to its origin, and hides header values, command arguments and responses of receivers.
///
/// # Errors
/// The errors of the inner service.
pub async fn for_readers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let is_editor = {
        let extensions = response.request().extensions();
        extensions.get::<Authorization>().is_some_and(|known| known.principal.has(Scope::Edit))
    };
    if is_editor || !response.status().is_success() || !is_json(&response) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body).await.map_err(|_| ApiError::internal("a response cannot be read"))?;
    // The response to HEAD has no body.
    if bytes.is_empty() {
        return Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(bytes))));
    }
    let mut json: Value = serde_json::from_slice(&bytes).map_err(ApiError::internal)?;
    hide(&mut json);
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(json.to_string()))))
}

fn is_json(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
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
                    // The response of a receiver may repeat the request, and with it a secret.
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
    let url = Url::parse(text).ok().filter(Url::has_host)?;
    let origin = url.origin().ascii_serialization();
    let is_whole = text.trim_end_matches('/') == origin;
    Some(if is_whole { text.to_owned() } else { format!("{origin}/{HIDDEN}") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_headers_arguments_and_responses_are_hidden() {
        let mut hidden = json!({
            "name": "on-call",
            "channel": {
                "kind": "webhook", "url": "https://user:pass@hooks.example.org:8443/T0/B1/secret?key=1",
                "headers": {"X-Key": "secret"}, "server": "https://ntfy.sh",
            },
            "log": [{"answer": "secret", "status": 200}],
            "spec": {"kind": "command", "command": ["/usr/bin/page", "--token", "secret"]},
        });
        hide(&mut hidden);
        assert!(!hidden.to_string().contains("secret") && !hidden.to_string().contains("pass"), "{hidden}");
        assert_eq!(hidden["channel"]["url"], "https://hooks.example.org:8443/***");
        assert_eq!(hidden["channel"]["server"], "https://ntfy.sh");
        assert_eq!(hidden["spec"]["command"], json!(["/usr/bin/page", "***", "***"]));
        assert_eq!(hidden["log"][0]["status"], 200);
        assert!(applies("/api/alerts/receivers/{id}") && !applies("/api/alerts/rules"));
    }
}
