//! The part of Jinja that templates may use.
//!
//! The engine limits steps, but not the size of values: a few assignments that double a text, or one `*`, use up the
//! memory. Templates can therefore read values, but not build new ones. They have no assignments, no operators that
//! join or repeat texts, no list literals, no functions, and no blocks that capture output. Every text is a field of
//! the message, a literal, a part of one of these, or the output of a filter, which is limited. [`check`] also limits
//! the nesting, because the engine compiles templates recursively.
//!
//! The scanner reads the same tokens as the engine. Where the two could differ (numbers with letters, unknown
//! characters), the scanner rejects the template. It ignores tags without an end, because the engine reports them.

mod refusal;

pub use refusal::Refusal;

use refusal::Unsupported;

/// The statements that templates may use.
const STATEMENTS: [&str; 6] = ["for", "endfor", "if", "elif", "else", "endif"];
/// Names after which a bracket starts a value instead of arguments or an index.
const KEYWORDS: [&str; 9] = ["for", "in", "if", "elif", "else", "and", "or", "not", "is"];
/// The maximum number of statements of a template.
const MAX_STATEMENTS: usize = 200;
/// The maximum number of words and symbols between `{{` and `}}` or between `{%` and `%}`.
const MAX_TOKENS: usize = 200;

/// Checks that `template` uses only the supported part of the language.
///
/// # Errors
/// The first part that is not supported.
pub fn check(template: &str) -> Result<(), Refusal> {
    let mut scanner = Scanner { template, at: 0 };
    let mut statements = 0;
    while let Some(opening) = scanner.opening() {
        let start = scanner.at;
        let result = match opening {
            Opening::Comment => scanner.comment(),
            Opening::Expression => scanner.tag(Tag::new("}}")),
            Opening::Statement => {
                statements += 1;
                if statements > MAX_STATEMENTS {
                    return Err(refusal(template, start, Unsupported::Statements));
                }
                scanner.tag(Tag::new("%}"))
            }
        };
        match result {
            Ok(End::Closed) => {}
            Ok(End::Missing) => return Ok(()),
            Err(reason) => return Err(refusal(template, scanner.at, reason)),
        }
    }
    Ok(())
}

fn refusal(template: &str, at: usize, reason: Unsupported) -> Refusal {
    let before = template.as_bytes().get(..at).unwrap_or_default();
    Refusal { line: 1 + before.iter().filter(|byte| **byte == b'\n').count(), reason }
}

/// The opening of a part that is not plain text.
#[derive(Clone, Copy)]
enum Opening {
    Expression,
    Statement,
    Comment,
}

/// Whether the end of a part was found.
enum End {
    Closed,
    Missing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Literal,
    Symbol(u8),
}

/// An open bracket.
struct Bracket {
    /// Whether the values in the bracket are arguments of a call.
    has_arguments: bool,
    colons: usize,
}

/// A tag, such as `{{ … }}` or `{% … %}`, with the tokens that were read so far.
struct Tag<'a> {
    /// `}}` or `%}`.
    end: &'static str,
    /// The first name of a statement.
    statement: Option<&'a str>,
    previous: Option<Token<'a>>,
    /// The token before `previous`.
    before: Option<Token<'a>>,
    brackets: Vec<Bracket>,
    tokens: usize,
    /// Whether the keyword `in` of a `for` statement was read.
    is_after_in: bool,
}

impl<'a> Tag<'a> {
    fn new(end: &'static str) -> Self {
        Self { end, statement: None, previous: None, before: None, brackets: Vec::new(), tokens: 0, is_after_in: false }
    }

    /// Adds the next token.
    fn push(&mut self, token: Token<'a>) -> Result<(), Unsupported> {
        self.tokens += 1;
        if self.tokens > MAX_TOKENS {
            return Err(Unsupported::Length);
        }
        match token {
            Token::Name(name) => self.name(name)?,
            Token::Symbol(symbol) => self.symbol(symbol)?,
            Token::Literal => {}
        }
        self.before = self.previous.replace(token);
        Ok(())
    }

    fn name(&mut self, name: &'a str) -> Result<(), Unsupported> {
        if self.end == "%}" && self.previous.is_none() {
            if !STATEMENTS.contains(&name) {
                return Err(Unsupported::Statement(name.to_owned()));
            }
            self.statement = Some(name);
        }
        if self.statement == Some("for") && name == "recursive" {
            return Err(Unsupported::Recursion);
        }
        self.is_after_in |= name == "in";
        Ok(())
    }

    /// Whether the last token is the name of a filter or a test.
    fn is_after_filter(&self) -> bool {
        let is_name = matches!(self.previous, Some(Token::Name(_)));
        is_name && matches!(self.before, Some(Token::Symbol(b'|') | Token::Name("is" | "not")))
    }

    fn symbol(&mut self, symbol: u8) -> Result<(), Unsupported> {
        // Whether the token before is a value, so that `(` starts arguments and `[` an index.
        let is_after_value = match self.previous {
            Some(Token::Name(name)) => !KEYWORDS.contains(&name),
            Some(Token::Symbol(symbol)) => matches!(symbol, b')' | b']'),
            Some(Token::Literal) | None => false,
        };
        match symbol {
            b'(' => {
                // Calls are rejected, because some methods of the engine's `loop` object panic.
                if is_after_value && !self.is_after_filter() {
                    return Err(Unsupported::Call);
                }
                self.brackets.push(Bracket { has_arguments: is_after_value, colons: 0 });
            }
            b'[' if is_after_value => self.brackets.push(Bracket { has_arguments: false, colons: 0 }),
            b'[' | b'{' | b'}' => return Err(Unsupported::Collection),
            b')' | b']' => {
                self.brackets.pop().ok_or(Unsupported::Unexpected(char::from(symbol)))?;
            }
            b',' => {
                let is_allowed = match self.brackets.last() {
                    Some(bracket) => bracket.has_arguments,
                    None => self.statement == Some("for") && !self.is_after_in,
                };
                if !is_allowed {
                    return Err(Unsupported::Comma);
                }
            }
            b':' => {
                let Some(bracket) = self.brackets.last_mut() else { return Err(Unsupported::Unexpected(':')) };
                bracket.colons += 1;
                if bracket.colons > 1 {
                    return Err(Unsupported::Step);
                }
            }
            b'~' | b'+' | b'*' => return Err(Unsupported::Operator(char::from(symbol))),
            b'.' | b'|' | b'=' | b'!' | b'<' | b'>' | b'-' | b'/' | b'%' => {}
            _ => return Err(Unsupported::Character),
        }
        Ok(())
    }
}

/// A scanner at a position in a template.
struct Scanner<'a> {
    template: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        self.template.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Moves behind the next `{{`, `{%` or `{#`.
    fn opening(&mut self) -> Option<Opening> {
        let mut pairs = self.rest().windows(2).enumerate();
        let (offset, opening) = pairs.find_map(|(offset, pair)| match pair {
            b"{{" => Some((offset, Opening::Expression)),
            b"{%" => Some((offset, Opening::Statement)),
            b"{#" => Some((offset, Opening::Comment)),
            _ => None,
        })?;
        self.at += offset + 2;
        Some(opening)
    }

    fn comment(&mut self) -> Result<End, Unsupported> {
        let Some(offset) = self.rest().windows(2).position(|pair| pair == b"#}") else { return Ok(End::Missing) };
        self.at += offset + 2;
        Ok(End::Closed)
    }

    /// Reads a tag to its end.
    fn tag(&mut self, mut tag: Tag<'a>) -> Result<End, Unsupported> {
        // Skips the marker that keeps or removes the white space before the tag.
        if matches!(self.rest().first(), Some(b'-' | b'+')) {
            self.at += 1;
        }
        loop {
            self.at += self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = self.rest();
            let Some(first) = rest.first().copied() else { return Ok(End::Missing) };
            if tag.brackets.is_empty() {
                let marked = usize::from(matches!(first, b'-' | b'+'));
                if rest.get(marked..).unwrap_or_default().starts_with(tag.end.as_bytes()) {
                    self.at += marked + tag.end.len();
                    return Ok(End::Closed);
                }
            }
            let length = match first {
                b'\'' | b'"' => match string(rest) {
                    Some(length) => length,
                    None => return Ok(End::Missing),
                },
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => rest.iter().take_while(|byte| is_word(**byte)).count(),
                b'0'..=b'9' => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
                _ => 1,
            };
            let token = match first {
                b'\'' | b'"' => Token::Literal,
                b'0'..=b'9' if rest.get(length).is_some_and(|next| is_word(*next)) => {
                    return Err(Unsupported::Number);
                }
                b'0'..=b'9' => Token::Literal,
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    Token::Name(self.template.get(self.at..self.at + length).unwrap_or_default())
                }
                symbol => Token::Symbol(symbol),
            };
            tag.push(token)?;
            self.at += length;
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of the string at the start of `rest`, with its quotes; `None` if it does not end.
fn string(rest: &[u8]) -> Option<usize> {
    let (quote, content) = rest.split_first()?;
    let mut is_escaped = false;
    for (index, byte) in content.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            byte if byte == quote => return Some(index + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_that_only_reads_values_is_accepted() {
        for template in [
            "plain { text } % # \u{ff}",
            "{{ status | upper }}: {{- commonLabels.alertname -}}",
            "{% for alert in alerts if alert.status == 'firing' %}{{ loop.index }}{% else %}none{% endfor %}",
            "{% for name, value in alert.labels | items %}{{ name }}={{ value }}{% endfor %}",
            "{{ alerts[0].details.quotes[alerts.0.x - 1] }} {{ text[:100] }} {{ (value / 0.01) | round(1) }}",
            "{% if not (a and b in c) or x is defined %}{{ words | join(', ') }}{% elif a != 'it\\'s ~' %}{% endif %}",
            "{# {% set x = 1 %} #}{{ '{% set x = 1 %}' }}{{ author | default('nobody', true) }}",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn template_that_builds_a_value_is_rejected() {
        for template in [
            "{% set ns = namespace(x='a') %}",
            "{%- set a = x ~ x %}",
            "{% with a = x %}{% endwith %}",
            "{% filter upper %}x{% endfilter %}",
            "{% macro a() %}{% endmacro %}",
            "{% raw %}{{ {% endraw %}",
            "{% do x() %}",
            "{% autoescape true %}{% endautoescape %}",
            "{{ 'x' * 100000000 }}",
            "{{ 'x' ** 2 }}",
            "{{ text ~ text }}",
            "{{ text + text }}",
            "{{ text | join(*text) }}",
            "{{ range(3) }}",
            "{{ loop.cycle() }}",
            "{{ loop['cycle']() }}",
            "{{ (loop.cycle)() }}",
            "{{ [text, text] }}",
            "{{ {'a': text} }}",
            "{{ (text, text) }}",
            "{{ text, text }}",
            "{% for a in [x] %}{% endfor %}",
            "{% for a in[x] %}{% endfor %}",
            "{% for a in x, x %}{% endfor %}",
            "{% for a in (x, x) %}{% endfor %}",
            "{% for a in x if 1in[x] %}{% endfor %}",
            "{% for a in x if 1e5in[x] %}{% endfor %}",
            "{% for a in x if 1e5recursive %}{% endfor %}",
            "{% for a in x recursive %}{{ loop(x) | upper }}{% endfor %}",
            "{{ ''[::-1] }}",
            "{{ x) }}",
            "{{ a \u{ff} }}",
        ] {
            assert!(check(template).is_err(), "{template}");
        }
    }

    #[test]
    fn template_error_names_the_line_and_the_alternative() {
        let error = check("a\n{{ b }}\n{% set x = 1 %}").unwrap_err().to_string();
        assert_eq!(error, "line 3: `set` is not available in templates; use for, endfor, if, elif, else, endif");
    }

    #[test]
    fn nesting_of_templates_is_limited() {
        assert!(check(&format!("{{{{ a{} }}}}", ".a".repeat(1_000))).is_err());
        assert!(check(&format!("{{{{ {}a }}}}", "not ".repeat(1_000))).is_err());
        assert!(check(&format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(500))).is_err());
    }
}
