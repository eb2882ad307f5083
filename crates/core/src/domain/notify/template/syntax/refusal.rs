//! The parts of the template language that are not supported.

use super::{MAX_STATEMENTS, MAX_TOKENS, STATEMENTS};

/// A part of a template that is not supported.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Refusal {
    /// The line, counted from 1.
    pub(super) line: usize,
    pub(super) reason: Unsupported,
}

/// What a template uses although it is not supported, and the alternative.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    #[error("use at most {MAX_STATEMENTS} statements")]
    Statements,
    #[error("the expression or statement is too long: use at most {MAX_TOKENS} words and symbols")]
    Length,
    #[error("`{0}` is not available in templates; use {allowed}", allowed = STATEMENTS.join(", "))]
    Statement(String),
    #[error("loops cannot be recursive; nest two loops")]
    Recursion,
    #[error("functions are not available in templates; use filters, as in {{{{ a | upper }}}}")]
    Call,
    #[error("templates cannot contain list or map literals")]
    Collection,
    #[error("unexpected `{0}`")]
    Unexpected(char),
    #[error("templates cannot contain list literals; remove the comma")]
    Comma,
    #[error("ranges cannot have a step; write only a start and an end, as in [0:10]")]
    Step,
    #[error(
        "`{0}` is not available in templates; write texts after each other, as in {{{{ a }}}}{{{{ b }}}}, and divide \
         numbers instead of multiplying them, as in {{{{ value / 0.01 }}}}"
    )]
    Operator(char),
    #[error("an expression contains an unsupported character; remove it")]
    Character,
    #[error("write numbers as decimals, such as 10 or 0.5")]
    Number,
}
