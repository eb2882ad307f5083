//! A sliding window over the input: the bytes that were read but are not consumed yet.

use std::io::{self, Read};

use super::{MAX_RECORD_BYTES, Position};

/// The number of bytes per read.
const READ_BYTES: usize = 256 << 10;

/// The window, with the position of its first byte in the input.
pub struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    position: Position,
    ended: bool,
}

impl<R: Read> Window<R> {
    /// A window over `input`, whose current position is `position`.
    pub fn new(input: R, position: Position) -> Self {
        Self { input, buffer: Vec::new(), start: 0, position, ended: false }
    }

    /// The position of the first byte that is not consumed.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The bytes that were read but are not consumed yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether the input has ended.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Whether an incomplete record is longer than [`MAX_RECORD_BYTES`].
    pub fn is_overlong(&self) -> bool {
        self.unread().len() > MAX_RECORD_BYTES
    }

    /// A reader of the unread bytes and the rest of the input.
    pub fn rest(&mut self) -> impl Read + '_ {
        let unread = io::Cursor::new(self.buffer.split_off(self.start));
        unread.chain(&mut self.input)
    }

    /// Reads more bytes.
    pub fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }

    /// Consumes the first `count` unread bytes.
    pub fn consume(&mut self, count: usize) {
        let done = &self.buffer[self.start..self.start + count];
        self.position.line += done.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.position.offset += count as u64;
        self.start += count;
    }

    /// Consumes all bytes up to and including the next line break, or up to the end of the input.
    pub fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = self.unread().iter().position(|&byte| byte == b'\n') {
                self.consume(end + 1);
                return Ok(());
            }
            self.consume(self.unread().len());
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Consumes line breaks.
    pub fn skip_blank(&mut self) {
        let blank = self.unread().iter().take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
        self.consume(blank);
    }

    /// Consumes the white space and commas between the values of a JSON array.
    pub fn skip_separators(&mut self) {
        let separates = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b',';
        let count = self.unread().iter().take_while(separates).count();
        self.consume(count);
    }

    /// Consumes a byte-order mark at the beginning.
    pub fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        while self.unread().len() < MARK.len() && !self.ended {
            self.fill()?;
        }
        if self.unread().starts_with(MARK) {
            self.consume(MARK.len());
        }
        Ok(())
    }

    /// The first byte that is not white space. `None`: the input, or its first [`MAX_RECORD_BYTES`] bytes, contain only
    /// white space.
    pub fn first_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let first = self.unread().iter().copied().find(|byte| !byte.is_ascii_whitespace());
            if first.is_some() || self.ended || self.is_overlong() {
                return Ok(first);
            }
            self.fill()?;
        }
    }
}
