//! JSON: one object per line, or an array of objects.

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

/// The next element of an array, if it is complete. The window is at the beginning of the array or after an element.
pub fn element<R: Read>(window: &mut Window<R>, map: &FieldMap) -> io::Result<Step> {
    let skipped = window.unread().iter().take_while(|byte| byte.is_ascii_whitespace() || b"[,".contains(byte)).count();
    window.consume(skipped);
    let unread = window.unread();
    match unread.first() {
        None if window.ended() => return Ok(Step::End),
        None => return Ok(Step::Wait),
        Some(b']') => {
            // Nothing may follow the array.
            window.consume(unread.len());
            return Ok(if window.ended() { Step::End } else { Step::Wait });
        }
        Some(_) => {}
    }
    let line = window.position().line + 1;
    match end_of_value(unread) {
        Some(end) => {
            let draft = fields::from_json(&unread[..end], map);
            window.consume(end);
            Ok(Step::Record(line, draft))
        }
        None if window.is_overlong() => {
            // A record that is too long is skipped up to its line break.
            window.skip_line()?;
            Ok(Step::Record(line, Err(RecordError::TooLong)))
        }
        None if window.ended() => {
            let draft: Result<Draft, _> = fields::from_json(unread, map);
            let rest = unread.len();
            window.consume(rest);
            Ok(Step::Record(line, draft))
        }
        None => Ok(Step::Wait),
    }
}

/// The end of the value at the beginning of `text`: after its closing bracket, or before a comma or bracket of the
/// array. `None`: the value is not complete.
fn end_of_value(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b',' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
