//! Parses queries: tokens with their positions, then a tree by recursive descent.

mod term;
#[cfg(test)]
mod tests;
mod tokens;

use super::node::{Near, Node};
use tokens::{Kind, Token, tokens};

/// The maximum length of a query, in characters.
pub const MAX_QUERY_CHARS: usize = 4_000;
/// The maximum number of terms and fields in a query.
const MAX_TERMS: usize = 200;
/// The maximum nesting of brackets and negations.
const MAX_DEPTH: usize = 20;
/// The maximum number of groups in a chain of NEAR.
const MAX_GROUPS: usize = 6;

const OPERAND: &str =
    "expected a word, a \"phrase\", #tag, @name, {Exact}, a field such as lang:, or an opening bracket (";

/// An error or a likely mistake at a position in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The position in the query, counted in characters from 1.
    pub position: usize,
    /// The error at this position, and what is expected there.
    pub message: String,
}

impl Fault {
    fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into() }
    }
}

/// A parsed query.
#[derive(Debug)]
pub struct Parsed {
    /// The query as a syntax tree.
    pub node: Node,
    /// Likely mistakes.
    pub warnings: Vec<Fault>,
}

/// Parses a complete query.
///
/// # Errors
/// The position and the reason when the query is not valid.
pub fn query(text: &str) -> Result<Parsed, Fault> {
    let characters = text.chars().count();
    if characters > MAX_QUERY_CHARS {
        return Err(Fault::new(
            MAX_QUERY_CHARS + 1,
            format!("a query may have at most {MAX_QUERY_CHARS} characters, but this query has {characters}"),
        ));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, terms: 0, end: characters + 1, warnings: Vec::new() };
    let node = parser.or(0)?;
    if let Some(token) = parser.peek() {
        return Err(Fault::new(
            token.position,
            format!("expected OR or the end of the query, found {}", token.kind.shown()),
        ));
    }
    if node.when_all_are(false) {
        return Err(Fault::new(1, "the query contains only exclusions: add something to search for"));
    }
    Ok(Parsed { node, warnings: parser.warnings })
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    terms: usize,
    /// The position after the last character of the query.
    end: usize,
    warnings: Vec<Fault>,
}

/// An operand of AND, OR or NEAR, with its position in the query.
struct Operand {
    position: usize,
    node: Node,
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

    fn or(&mut self, depth: usize) -> Result<Node, Fault> {
        let mut nodes = vec![self.and(depth)?];
        while self.at(&Kind::Or) {
            self.next += 1;
            nodes.push(self.and(depth)?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Node, Fault> {
        let mut nodes = vec![self.near(depth)?];
        loop {
            match self.peek().map(|token| &token.kind) {
                None | Some(Kind::Or | Kind::Close) => return Ok(one_or(nodes, Node::And)),
                Some(Kind::And) => self.next += 1,
                Some(_) => {}
            }
            nodes.push(self.near(depth)?);
        }
    }

    /// Parses one operand, or several operands that are joined by NEAR.
    fn near(&mut self, depth: usize) -> Result<Node, Fault> {
        let first = self.operand(depth)?;
        let Some(Kind::Near { distance, ordered }) = self.peek().map(|token| token.kind.clone()) else {
            return Ok(first.node);
        };
        let mut groups = vec![term::alternatives(first.node, first.position)?];
        while let Some(Token { position, kind: Kind::Near { distance: other, ordered: in_order } }) =
            self.peek().cloned()
        {
            if (other, in_order) != (distance, ordered) {
                return Err(Fault::new(
                    position,
                    "all NEAR in a chain must have the same distance and order: write two chains, as in \
                     (acme NEAR/5 app) (app NEAR/2 broken)",
                ));
            }
            self.next += 1;
            let operand = self.operand(depth)?;
            groups.push(term::alternatives(operand.node, operand.position)?);
            if groups.len() > MAX_GROUPS {
                return Err(Fault::new(
                    position,
                    format!("a chain of NEAR may have at most {MAX_GROUPS} parts: remove some"),
                ));
            }
        }
        Ok(Node::Near(Near { groups, distance, ordered }))
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, Fault> {
        let Some(token) = self.take() else {
            return Err(Fault::new(self.end, format!("{OPERAND}, found the end of the query")));
        };
        let position = token.position;
        if depth > MAX_DEPTH {
            return Err(Fault::new(
                position,
                format!("brackets and negations may be nested at most {MAX_DEPTH} levels deep: remove some"),
            ));
        }
        let node = match token.kind {
            Kind::Open => {
                let node = self.or(depth + 1)?;
                return match self.take() {
                    Some(Token { kind: Kind::Close, .. }) => Ok(Operand { position, node }),
                    Some(found) => Err(Fault::new(found.position, format!("expected ), found {}", found.kind.shown()))),
                    None => Err(Fault::new(position, "this bracket is not closed: add ) after its content")),
                };
            }
            Kind::Minus | Kind::Not => {
                let node = Node::Not(Box::new(self.operand(depth + 1)?.node));
                return Ok(Operand { position, node });
            }
            kind @ (Kind::Close | Kind::And | Kind::Or | Kind::Near { .. }) => {
                return Err(Fault::new(position, format!("{OPERAND}, found {}", kind.shown())));
            }
            Kind::Quoted(text) => term::phrase(&text, position)?,
            Kind::CloseBy { text, distance } => term::close(&text, distance, position)?,
            Kind::Exact(text) => term::exact(&text, position)?,
            Kind::Word(text) => {
                self.warnings.extend(term::warning(&text, position));
                term::word(&text, position)?
            }
            Kind::Field { name, value } => term::field(&name, &value, position)?,
        };
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(Fault::new(position, format!("a query may have at most {MAX_TERMS} terms: remove some")));
        }
        Ok(Operand { position, node })
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
