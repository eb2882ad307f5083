//! Reading queries: tokens with their places, then a tree by recursive descent.

use super::query::{Form, Node, QueryError};

/// Longest query, in characters.
pub const MAX_QUERY_CHARS: usize = 2_000;
/// Most terms and fields of a query.
const MAX_TERMS: usize = 100;
/// Deepest brackets and negations.
const MAX_DEPTH: usize = 20;
/// Shortest beginning of a word, in characters: shorter ones match everything.
const MIN_PREFIX_CHARS: usize = 2;

const OPERAND: &str = "expected a word, a \"phrase\", #tag, @name, lang:, source:, author: or (";

/// Reads a whole query.
///
/// # Errors
/// Where it cannot be read.
pub fn query(text: &str) -> Result<Node, QueryError> {
    let characters = text.chars().count();
    if characters > MAX_QUERY_CHARS {
        return Err(error(
            MAX_QUERY_CHARS + 1,
            format!("a query has at most {MAX_QUERY_CHARS} characters, this has {characters}"),
        ));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, terms: 0, end: characters + 1 };
    let node = parser.or(0)?;
    if let Some(token) = parser.peek() {
        return Err(error(token.position, format!("expected the end or OR, found {}", token.kind.shown())));
    }
    if node.when_all_are(false) {
        return Err(error(1, "it only says what must not occur: name something to look for too"));
    }
    Ok(node)
}

fn error(position: usize, message: impl Into<String>) -> QueryError {
    QueryError { position, message: message.into() }
}

#[derive(Clone, Debug)]
struct Token {
    /// In characters from 1.
    position: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Open,
    Close,
    Minus,
    And,
    Or,
    Not,
    Quoted(String),
    Word(String),
    /// `name:value`
    Field {
        name: String,
        value: String,
    },
}

impl Kind {
    fn shown(&self) -> String {
        match self {
            Self::Open => "(".to_owned(),
            Self::Close => ")".to_owned(),
            Self::Minus => "-".to_owned(),
            Self::And => "AND".to_owned(),
            Self::Or => "OR".to_owned(),
            Self::Not => "NOT".to_owned(),
            Self::Quoted(text) => format!("\"{text}\""),
            Self::Word(text) => text.clone(),
            Self::Field { name, value } => format!("{name}:{value}"),
        }
    }
}

const FIELDS: [&str; 3] = ["lang", "source", "author"];

fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
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
            '\0' => return Err(error(position, "U+0000 is not allowed")),
            '(' => Kind::Open,
            ')' => Kind::Close,
            '-' => Kind::Minus,
            '"' | '“' | '”' => Kind::Quoted(quoted(&chars, &mut at)?),
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

/// The text between quotes; `at` goes from the first to behind the last.
fn quoted(chars: &[char], at: &mut usize) -> Result<String, QueryError> {
    let start = *at;
    let inside = &chars[start + 1..];
    let length = inside
        .iter()
        .position(|c| is_quote(*c))
        .ok_or_else(|| error(start + 1, "this quote is not closed: expected \" after the phrase"))?;
    *at = start + length + 2;
    Ok(inside[..length].iter().collect())
}

fn word(chars: &[char], at: &mut usize) -> Result<Kind, QueryError> {
    let start = *at;
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\0') || is_quote(c);
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
        return Err(error(
            start + 1,
            format!("there is no field {name}:, expected one of {fields}:; quote it to look for the text"),
        ));
    }
    Ok(Kind::Word(text))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    terms: usize,
    /// The position behind the query.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    fn at(&self, kind: &Kind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }

    fn or(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.and(depth)?];
        while self.at(&Kind::Or) {
            self.next += 1;
            nodes.push(self.and(depth)?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut nodes = vec![self.operand(depth)?];
        loop {
            match self.peek().map(|token| &token.kind) {
                None | Some(Kind::Or | Kind::Close) => return Ok(one_or(nodes, Node::And)),
                Some(Kind::And) => self.next += 1,
                Some(_) => {}
            }
            nodes.push(self.operand(depth)?);
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Node, QueryError> {
        let Some(token) = self.take() else {
            return Err(error(self.end, format!("{OPERAND}, found the end")));
        };
        if depth > MAX_DEPTH {
            return Err(error(token.position, format!("brackets and negations nest at most {MAX_DEPTH} deep")));
        }
        let node = match token.kind {
            Kind::Open => {
                let node = self.or(depth + 1)?;
                return match self.take() {
                    Some(Token { kind: Kind::Close, .. }) => Ok(node),
                    Some(found) => Err(error(found.position, format!("expected ), found {}", found.kind.shown()))),
                    None => Err(error(token.position, "this bracket is not closed: expected ) at the end")),
                };
            }
            Kind::Minus | Kind::Not => return Ok(Node::Not(Box::new(self.operand(depth + 1)?))),
            Kind::Close | Kind::And | Kind::Or => {
                return Err(error(token.position, format!("{OPERAND}, found {}", token.kind.shown())));
            }
            Kind::Quoted(text) => Node::text(&text, Form::Whole)
                .ok_or_else(|| error(token.position, "this phrase holds no word to look for"))?,
            Kind::Word(text) => term(&text, token.position)?,
            Kind::Field { name, value } => field(&name, &value, token.position)?,
        };
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(error(token.position, format!("a query has at most {MAX_TERMS} terms")));
        }
        Ok(node)
    }
}

fn one_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            many(nodes)
        }
    }
}

fn term(text: &str, position: usize) -> Result<Node, QueryError> {
    let (words, form) = match text.strip_suffix('*') {
        Some(beginning) => (beginning, Form::Beginning),
        None => (text, Form::Whole),
    };
    if words.contains('*') {
        return Err(error(position, "* stands only at the end of a word: acme*"));
    }
    if form == Form::Beginning && words.chars().filter(|c| c.is_alphanumeric()).count() < MIN_PREFIX_CHARS {
        return Err(error(position, format!("expected at least {MIN_PREFIX_CHARS} letters before *")));
    }
    Node::text(words, form).ok_or_else(|| error(position, format!("{OPERAND}, found {text}")))
}

fn field(name: &str, value: &str, position: usize) -> Result<Node, QueryError> {
    if value.trim().is_empty() {
        return Err(error(position, format!("expected a value directly after {name}:")));
    }
    match name {
        "source" => Ok(Node::Source(value.to_lowercase())),
        "lang" if value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => Ok(Node::Lang(value.to_lowercase())),
        "lang" => Err(error(position, "expected a language tag after lang:, such as en or pt-BR")),
        _ => Ok(Node::author(value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_say_where_and_what_was_expected() {
        for (text, position, part) in [
            ("", 1, "found the end"),
            ("acme OR", 8, "found the end"),
            ("acme OR OR phone", 9, "found OR"),
            ("(acme phone", 1, "not closed"),
            ("acme) phone", 5, "found )"),
            ("say \"acme", 5, "not closed"),
            ("acme \"!?\"", 6, "no word"),
            ("-giveaway", 1, "must not occur"),
            ("a*", 1, "at least 2"),
            ("ac*me", 1, "at the end of a word"),
            ("acme lang:", 6, "value directly after lang:"),
            ("acme colour:red", 6, "no field colour:"),
            ("acme lang:e_n", 6, "language tag"),
            ("acme & phone", 6, "found &"),
            ("日本 AND", 7, "found the end"),
        ] {
            let error = query(text).unwrap_err();
            assert_eq!(error.position, position, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
        assert!(query(&"(".repeat(100)).unwrap_err().message.contains("deep"));
        assert!(query(&"ab ".repeat(200)).unwrap_err().message.contains("at most 100"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_an_error_inside_of_it(text in "[a-c\"()#@*:\\- ORANDT日é]{0,40}") {
            if let Err(error) = query(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&error.position));
            }
        }
    }
}
