//! One JSON object per line.

use std::io::{self, Read};

use super::fields::{self, FieldMap};
use super::window::Window;
use super::{MAX_RECORD_BYTES, Step};

/// The next line, if it is there.
pub fn step<R: Read>(window: &mut Window<R>, map: &FieldMap) -> io::Result<Step> {
    loop {
        let unread = window.unread();
        let (length, consumed) = match unread.iter().position(|&byte| byte == b'\n') {
            Some(end) => (end, end + 1),
            None if window.is_overlong() => {
                let line = window.position().line + 1;
                window.skip_line()?;
                return Ok(Step::Record(line, Err(format!("is longer than {MAX_RECORD_BYTES} bytes"))));
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
