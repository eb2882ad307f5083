//! Templates: a receiver's own title and text, in the Jinja language.
//!
//! Templates have no access to files, other templates or the network. The number of steps, the output and the output of
//! each filter are limited. The variables are the fields of [`Message`] as a webhook receives them, so
//! `{{ alerts[0].details.sentence }}` is the sentence about the first alert. `title` and `text` are the default texts.

mod filters;
mod syntax;

use std::io;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use super::{AlertDetails, Message, text};
use crate::domain::{FieldError, Timestamp};

pub use syntax::Refusal;

/// The maximum length of a template, in bytes.
const MAX_SOURCE: usize = 10_000;
/// The maximum number of steps of a template.
const FUEL: u64 = 100_000;
/// The maximum length of a template's output and of the output of each filter, in bytes.
const MAX_OUTPUT: usize = 64 * 1024;

/// The templates of a receiver, each of at most 10,000 bytes. A missing template uses the default text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// The title in one line: the subject of a mail, the heading of a chat message, or the summary of an incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "{{ status | upper }}: {{ commonLabels.alertname }}")]
    pub title: Option<String>,
    /// The text below the title, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        example = "{% for alert in alerts %}{{ alert.details.sentence }}\n{{ alert.details.posts_url }}\n{% endfor %}"
    )]
    pub text: Option<String>,
}

/// Why a template could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template is too long.
    #[error("must be at most {MAX_SOURCE} bytes")]
    TooLong,
    /// The output is too long.
    #[error("the output is longer than {MAX_OUTPUT} bytes")]
    TooMuch,
    /// The template uses a part of the language that is not supported.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The template has a syntax error, fails, or needs too many steps.
    #[error("line {}: {}", source.line().unwrap_or(1), describe(source))]
    Invalid {
        /// The error of the template engine, with the line.
        source: minijinja::Error,
    },
    /// The output is not valid text.
    #[error("the output is not UTF-8")]
    Encoding(#[from] std::string::FromUtf8Error),
}

fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

impl Templates {
    /// Whether all templates are missing, so that messages have the default texts.
    pub fn is_empty(&self) -> bool {
        self.title.is_none() && self.text.is_none()
    }

    /// The errors of the templates when they are rendered with an example message.
    pub fn check(&self) -> Vec<FieldError> {
        let example = example("receiver", "https://senti.example.org", Timestamp::EPOCH);
        let check = |field: &str, source: &Option<String>| {
            let error = render_template(source.as_deref()?, &example).err()?;
            Some(FieldError::new(field, error.to_string()))
        };
        [check("templates.title", &self.title), check("templates.text", &self.text)].into_iter().flatten().collect()
    }
}

/// A message with all fields, for previews and for the validation of templates.
pub fn example(receiver: &str, external_url: &str, now: Timestamp) -> Message {
    let mut message = Message::test(receiver, external_url, now);
    for alert in &mut message.alerts {
        alert.details = Some(AlertDetails::example(external_url));
    }
    message
}

/// Renders the template `source` for `message`.
///
/// # Errors
/// When the template is invalid, fails, or exceeds its limits.
pub fn render_template(source: &str, message: &Message) -> Result<String, TemplateError> {
    if source.len() > MAX_SOURCE {
        return Err(TemplateError::TooLong);
    }
    syntax::check(source)?;
    // An empty environment has no functions, such as `range`, and does not escape its output.
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    filters::register(&mut environment);
    let mut output = Bounded::default();
    let text = within_output(text::body(message));
    let variables = Variables { message, title: text::title(message), text };
    let rendered = environment
        .template_from_str(source)
        .and_then(|template| template.render_captured_to(Serde(&variables), &mut output).map(drop));
    match rendered {
        _ if output.is_full => Err(TemplateError::TooMuch),
        Ok(()) => Ok(String::from_utf8(output.bytes)?),
        Err(source) => Err(TemplateError::Invalid { source }),
    }
}

/// The first [`MAX_OUTPUT`] bytes of `text`. The output cannot contain more.
fn within_output(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_OUTPUT));
    text
}

/// The variables of templates.
#[derive(Serialize)]
struct Variables<'a> {
    #[serde(flatten)]
    message: &'a Message,
    title: String,
    text: String,
}

/// A buffer that returns an error if it would exceed [`MAX_OUTPUT`].
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str) -> Result<String, TemplateError> {
        render_template(source, &example("hook", "https://senti.example.org", Timestamp::EPOCH))
    }

    #[test]
    fn template_reads_fields_of_the_message() {
        let source = "{{ status | upper }} {{ commonLabels.alertname }}: {{ alerts[0].details.sentence }}";
        let expected = "FIRING Test: 78 % of 18 posts about acme are negative, usually 22 %";
        assert_eq!(rendered(source).unwrap(), expected);
        assert_eq!(rendered("{{ title }}").unwrap(), "[FIRING:1] Test (info)");
        assert_eq!(rendered("{{ alerts[0].details.nothing.here }}").unwrap(), "");
    }

    #[test]
    fn template_errors_name_the_line() {
        let error = rendered("ok\n{{ broken").unwrap_err().to_string();
        assert!(error.starts_with("line 2: "), "{error}");
        assert!(rendered("{% include 'x' %}").is_err());
    }

    #[test]
    fn template_with_too_many_steps_or_output_is_stopped() {
        let loops = |count: usize, body: &str| {
            let start = format!("{{% for a in '{}' %}}", "x".repeat(100));
            format!("{}{body}{}", start.repeat(count), "{% endfor %}".repeat(count))
        };
        assert!(matches!(rendered(&loops(4, "{% if a %}{% endif %}")), Err(TemplateError::Invalid { .. })));
        let huge = loops(2, "{{ 'xxxxxxxxxx' }}");
        assert!(matches!(rendered(&huge), Err(TemplateError::TooMuch)), "{:?}", rendered(&huge));
    }

    #[test]
    fn template_cannot_build_a_large_value() {
        let doubling = "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}\
                        {% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}";
        let assigning = "{% set a = 'a' ~ 'a' %}{% set b = a ~ a %}{{ b|length }}";
        for source in [
            doubling,
            assigning,
            "{{ ('x' * 100000000)|length }}",
            "{{ [text, text]|string|length }}",
            "{{ range(100000)|length }}",
        ] {
            assert!(matches!(rendered(source), Err(TemplateError::Refused(_))), "{source}: {:?}", rendered(source));
        }
        for source in [
            "{{ 'a'|indent(200000000)|length }}",
            "{{ '%100000000d'|format(1)|length }}",
            "{{ 'a'|center(100000000)|length }}",
            "{{ alerts|upper|length }}",
            "{{ 'aaaa'|join('b')|length }}",
        ] {
            assert!(matches!(rendered(source), Err(TemplateError::Invalid { .. })), "{source}: {:?}", rendered(source));
        }
    }

    #[test]
    fn output_of_every_template_filter_is_limited() {
        let growing = format!("{{{{ 'a'{}|length }}}}", "|replace('a', 'aa')".repeat(16));
        assert_eq!(rendered(&growing).unwrap(), "65536");
        let too_long = format!("{{{{ 'a'{}|length }}}}", "|replace('a', 'aa')".repeat(20));
        assert!(rendered(&too_long).unwrap_err().to_string().contains("65536 bytes"));
        // The engine counts a filter of a long text as one step, so the limit of steps does not stop these loops.
        let start = format!("{{% for a in '{}' %}}{{% for b in '{}' %}}", "x".repeat(50), "x".repeat(50));
        let filtered = format!("{{{{ ('{}'{})|length }}}}", "x".repeat(9_000), "|upper|lower".repeat(20));
        let source = format!("{start}{filtered}{{% endfor %}}{{% endfor %}}");
        assert!(
            rendered(&source).unwrap_err().to_string().contains("read more than 16 MiB"),
            "{:?}",
            rendered(&source)
        );
    }

    #[test]
    fn filters_format_the_values_of_messages() {
        let source = "{{ (alerts[0].details.value / 0.01) | round | int }} % {{ status | capitalize }} \
                      {{ 'one two' | title | replace('Two', '2') | trim }} {{ alerts[0].details.words | join(', ') }} \
                      {{ nothing | default('none') }} {{ alerts | length }} {{ 'abc' | first }}{{ 'abc' | last }} \
                      {% for name, value in alerts[0].labels | items %}{{ name }}{% endfor %}";
        let output = rendered(source).unwrap();
        assert!(output.starts_with("78 % Firing One 2 refund, late, support none 1 ac alertname"), "{output}");
    }
}
