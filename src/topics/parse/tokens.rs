//! Splits a query into tokens with their positions.

use super::Fault;

/// A token of a query.
#[derive(Clone, Debug)]
pub struct Token {
    /// The position in the query, counted in characters from 1.
    pub position: usize,
    /// The kind of the token, with its text.
    pub kind: Kind,
}

/// The kind of a token, with its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// An opening bracket: `(`.
    Open,
    /// A closing bracket: `)`.
    Close,
    /// The negation `-`.
    Minus,
    /// The operator `AND`.
    And,
    /// The operator `OR`.
    Or,
    /// The operator `NOT`.
    Not,
    /// The operator `NEAR/5`, or `NEAR/5f` for terms in this order.
    Near {
        /// The maximum number of words between two neighbours.
        distance: usize,
        /// Whether the terms must occur in this order.
        ordered: bool,
    },
    /// A phrase: `"…"`.
    Quoted(String),
    /// Words that are close to each other in any order: `"…"~5`.
    CloseBy {
        /// The text between the quotes.
        text: String,
        /// The maximum number of words between two neighbours.
        distance: usize,
    },
    /// An exact word: `{Apple}`.
    Exact(String),
    /// A word, `#tag` or `@name`.
    Word(String),
    /// A field: `name:value`.
    Field {
        /// The name of the field: one of [`FIELDS`], in lower case.
        name: String,
        /// The text after the colon.
        value: String,
    },
}

impl Kind {
    /// The token in the syntax of queries.
    pub fn shown(&self) -> String {
        match self {
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Minus => "-".to_owned(),
            Self::And => "AND".to_owned(),
            Self::Or => "OR".to_owned(),
            Self::Not => "NOT".to_owned(),
            Self::Near { distance, ordered } => format!("NEAR/{distance}{}", if *ordered { "f" } else { "" }),
            Self::Quoted(text) => format!("\"{text}\""),
            Self::CloseBy { text, distance } => format!("\"{text}\"~{distance}"),
            Self::Exact(text) => format!("{{{text}}}"),
            Self::Word(text) => text.clone(),
            Self::Field { name, value } => format!("{name}:{value}"),
        }
    }
}

/// The fields of a query.
pub const FIELDS: [&str; 12] =
    ["lang", "source", "author", "site", "url", "links", "is", "has", "hashtags", "sentiment", "emotion", "raw"];
/// The maximum distance of NEAR, in words.
const MAX_DISTANCE: usize = 100;

/// Splits `text` into tokens.
pub fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let position = at + 1;
        let kind = match chars[at] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\0' => return Err(Fault::new(position, "the character U+0000 is not allowed: remove it")),
            '(' => Kind::Open,
            ')' => Kind::Close,
            '-' => Kind::Minus,
            c if is_quote(c) => {
                let text = quoted(&chars, &mut at)?;
                match tilde(&chars, &mut at)? {
                    Some(distance) => Kind::CloseBy { text, distance },
                    None => Kind::Quoted(text),
                }
            }
            '{' => Kind::Exact(braced(&chars, &mut at)?),
            _ => word(&chars, &mut at)?,
        };
        if matches!(kind, Kind::Open | Kind::Close | Kind::Minus) {
            at += 1;
        }
        found.push(Token { position, kind });
    }
    Ok(found)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”')
}

/// Reads the text between quotes. Moves `at` from the opening quote to the position after the closing quote.
fn quoted(chars: &[char], at: &mut usize) -> Result<String, Fault> {
    let start = *at;
    let inside = &chars[start + 1..];
    let length = inside
        .iter()
        .position(|c| is_quote(*c))
        .ok_or_else(|| Fault::new(start + 1, "this quote is not closed: expected \" after the phrase"))?;
    *at = start + length + 2;
    Ok(inside[..length].iter().collect())
}

fn braced(chars: &[char], at: &mut usize) -> Result<String, Fault> {
    let start = *at;
    let inside = &chars[start + 1..];
    let length = inside
        .iter()
        .position(|c| *c == '}')
        .ok_or_else(|| Fault::new(start + 1, "this brace is not closed: expected } after the text"))?;
    *at = start + length + 2;
    Ok(inside[..length].iter().collect())
}

/// Reads `~` and the number after it, directly after a phrase; `None` if there is no `~`.
fn tilde(chars: &[char], at: &mut usize) -> Result<Option<usize>, Fault> {
    if chars.get(*at) != Some(&'~') {
        return Ok(None);
    }
    let digits: String = chars[*at + 1..].iter().take_while(|c| c.is_ascii_digit()).collect();
    let distance = distance(&digits).ok_or_else(|| {
        Fault::new(*at + 1, format!("expected a number of words up to {MAX_DISTANCE} after ~, as in \"acme broken\"~5"))
    })?;
    *at += 1 + digits.len();
    Ok(Some(distance))
}

fn distance(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|number| *number <= MAX_DISTANCE)
}

fn word(chars: &[char], at: &mut usize) -> Result<Kind, Fault> {
    let start = *at;
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\0' | '{') || is_quote(c);
    while *at < chars.len() && !ends(chars[*at]) {
        *at += 1;
    }
    let text: String = chars[start..*at].iter().collect();
    match text.as_str() {
        "AND" => return Ok(Kind::And),
        "OR" => return Ok(Kind::Or),
        "NOT" => return Ok(Kind::Not),
        _ => {}
    }
    if let Some(near) = text.strip_prefix("NEAR").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        let number = near.trim_start_matches('/');
        let ordered = number.ends_with('f');
        return match distance(number.trim_end_matches('f')) {
            Some(distance) => Ok(Kind::Near { distance, ordered }),
            None => {
                let expected =
                    format!("expected NEAR/n with a number of words up to {MAX_DISTANCE}, as in acme NEAR/5 broken");
                Err(Fault::new(start + 1, expected))
            }
        };
    }
    let Some((name, value)) = text.split_once(':') else { return Ok(Kind::Word(text)) };
    let name = name.to_lowercase();
    if FIELDS.contains(&name.as_str()) {
        let value = match value {
            "" if chars.get(*at).copied().is_some_and(is_quote) => quoted(chars, at)?,
            value => value.to_owned(),
        };
        return Ok(Kind::Field { name, value });
    }
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic()) && !value.starts_with("//") {
        let fields = FIELDS.join(":, ");
        return Err(Fault::new(
            start + 1,
            format!("unknown field {name}:, expected one of {fields}:; to search for the text, put it in quotes"),
        ));
    }
    Ok(Kind::Word(text))
}
