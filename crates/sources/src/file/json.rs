//! Reads JSON: one object per line, an array of objects, or a sequence of objects that span several lines.

use std::io::{self, Read};

use super::fields::{self, Draft, FieldMap};
use super::window::Window;
use super::{RecordError, Step};

/// The next line, if it is complete.
pub fn line<R: Read>(window: &mut Window<R>, map: &FieldMap) -> io::Result<Step> {
    loop {
        let unread = window.unread();
        let (length, consumed) = match unread.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end, end + 1),
            None if window.is_overlong() => {
                let line = window.position().line + 1;
                window.skip_line()?;
                return Ok(Step::Record(line, Err(RecordError::TooLong)));
            }
            None if !window.ended() => return Ok(Step::Wait),
            None if unread.is_empty() => return Ok(Step::End),
            None => (unread.len(), unread.len()),
        };
        let text = unread[..length].trim_ascii();
        if text.is_empty() {
            window.consume(consumed);
            continue;
        }
        let draft = fields::from_json(text, map);
        let line = window.position().line + 1;
        window.consume(consumed);
        return Ok(Step::Record(line, draft));
    }
}

/// Whether the object at the beginning of `text` spans several lines, as in the output of formatters.
pub fn is_formatted(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.len() < text.len() && line.trim_ascii() == b"{"
}

/// Reads values one by one, independently of line breaks.
#[derive(Default)]
pub struct Json {
    /// Whether the position is inside an array.
    is_inside: bool,
    has_read: bool,
}

impl Json {
    /// Begins at the opening bracket of an array, which is consumed, or at the first object.
    pub fn begin<R: Read>(window: &mut Window<R>) -> io::Result<Self> {
        let is_inside = window.first_byte()? == Some(b'[');
        if is_inside {
            window.skip_separators();
            window.consume(1);
        }
        Ok(Self { is_inside, has_read: false })
    }

    /// The next value, if it is complete.
    pub fn step<R: Read>(&mut self, window: &mut Window<R>, map: &FieldMap) -> io::Result<Step> {
        loop {
            window.skip_separators();
            match window.unread().first() {
                None if !window.ended() => return Ok(Step::Wait),
                // If the reader resumes after the end of the array, no values follow.
                None if self.is_inside && self.has_read => {
                    self.is_inside = false;
                    return Ok(Step::Record(window.position().line + 1, Err(RecordError::OpenArray)));
                }
                None => return Ok(Step::End),
                Some(b']') if self.is_inside => self.is_inside = false,
                Some(b'[') if !self.is_inside => self.is_inside = true,
                Some(_) => break,
            }
            window.consume(1);
        }
        let line = window.position().line + 1;
        let draft = match Scan::default().end(window.unread()) {
            Some(end) => {
                let draft = fields::from_json(&window.unread()[..end], map);
                window.consume(end);
                draft
            }
            None if window.is_overlong() => {
                skip_value(window)?;
                Err(RecordError::TooLong)
            }
            None if window.ended() => {
                let draft: Result<Draft, _> = fields::from_json(window.unread(), map);
                window.consume(window.unread().len());
                self.is_inside = false;
                draft
            }
            None => return Ok(Step::Wait),
        };
        self.has_read = true;
        Ok(Step::Record(line, draft))
    }
}

/// Consumes a value of any length.
fn skip_value<R: Read>(window: &mut Window<R>) -> io::Result<()> {
    let mut scan = Scan::default();
    loop {
        if let Some(end) = scan.end(window.unread()) {
            window.consume(end);
            return Ok(());
        }
        window.consume(window.unread().len());
        if window.ended() {
            return Ok(());
        }
        window.fill()?;
    }
}

/// Searches for the end of a value across portions of the input.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    has_begun: bool,
}

impl Scan {
    /// The end of the value in the next portion: the position after its closing bracket, or before a separator. The end
    /// is never before the first byte. `None`: the value is not complete.
    fn end(&mut self, portion: &[u8]) -> Option<usize> {
        for (at, byte) in portion.iter().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b',' | b']' if self.depth == 0 && self.has_begun => return Some(at),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            self.has_begun = true;
        }
        None
    }
}
