//! Computes the memory that a pickle needs when it is read.
//!
//! The library that reads pickles has no limits. Objects that are copied from the memo can double with each copy, and
//! freeing deeply nested objects overflows the stack. This module runs the same instructions on the sizes of objects
//! instead of the objects.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, BufRead, Read};

use crate::error::LoadError;

/// The memory of one object without its text, in bytes.
const OBJECT: u64 = 64;
/// The maximum nesting of objects. Checkpoints have about ten levels.
const MAX_DEPTH: u32 = 100;

/// The number of bytes that further pickles of a file may need in memory.
pub struct Budget {
    left: u64,
}

impl Budget {
    /// Creates a budget of `bytes`.
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes }
    }

    /// Reads a pickle to its end, and subtracts the memory that it needs.
    ///
    /// # Errors
    /// When the memory or the nesting exceeds the limits, or the pickle is not valid.
    pub fn take(&mut self, reader: &mut impl BufRead) -> Result<(), LoadError> {
        let mut machine = Machine { budget: self, stack: Vec::new(), memo: HashMap::new() };
        while machine.step(reader)? {}
        Ok(())
    }

    fn spend(&mut self, bytes: u64) -> Result<(), LoadError> {
        let too_large = || LoadError::Files("the pickle needs too much memory; save the model's state_dict".to_owned());
        self.left = self.left.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }
}

/// The size of an object, including all objects that it contains.
#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    depth: u32,
}

enum Item {
    Mark,
    Object(Size),
}

struct Machine<'a> {
    budget: &'a mut Budget,
    stack: Vec<Item>,
    memo: HashMap<u32, Size>,
}

impl Machine<'_> {
    /// Runs an instruction. Returns `false` after the last instruction. The comments name the instructions as Python's
    /// `pickletools` does.
    fn step(&mut self, reader: &mut impl BufRead) -> Result<bool, LoadError> {
        match number(reader, 1)? {
            // PROTO
            0x80 => skip(reader, 1)?,
            // GLOBAL
            0x63 => {
                let bytes = line(reader, self.budget.left)? + line(reader, self.budget.left)?;
                self.push(bytes)?;
            }
            // BINUNICODE
            0x58 => {
                let length = number(reader, 4)?;
                self.push(length)?;
                skip(reader, length)?;
            }
            // BININT1, BININT2, BININT, BINFLOAT
            0x4b => self.push_number(reader, 1)?,
            0x4d => self.push_number(reader, 2)?,
            0x4a => self.push_number(reader, 4)?,
            0x47 => self.push_number(reader, 8)?,
            // LONG1
            0x8a => {
                let length = number(reader, 1)?;
                self.push_number(reader, length)?;
            }
            // NONE, NEWTRUE, NEWFALSE, EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT; DICT, which the library reads as EMPTY_DICT
            0x4e | 0x88 | 0x89 | 0x29 | 0x5d | 0x7d | 0x64 => self.push(0)?,
            // MARK
            0x28 => {
                self.budget.spend(OBJECT)?;
                self.stack.push(Item::Mark);
            }
            // One object: BINPERSID, TUPLE1. Two objects: REDUCE, BUILD, NEWOBJ, TUPLE2. Three objects: TUPLE3.
            0x51 | 0x85 => self.combine(1)?,
            0x52 | 0x62 | 0x81 | 0x86 => self.combine(2)?,
            0x87 => self.combine(3)?,
            // TUPLE
            0x74 => {
                let size = self.pop_to_mark()?;
                self.push_size(size)?;
            }
            // APPEND, SETITEM
            0x61 => self.add_to_last(1)?,
            0x73 => self.add_to_last(2)?,
            // APPENDS, SETITEMS
            0x65 | 0x75 => {
                let size = self.pop_to_mark()?;
                self.grow_last(size)?;
            }
            // BINPUT, LONG_BINPUT
            0x71 => self.store(number(reader, 1)?)?,
            0x72 => self.store(number(reader, 4)?)?,
            // BINGET, LONG_BINGET
            0x68 => self.copy(number(reader, 1)?)?,
            0x6a => self.copy(number(reader, 4)?)?,
            // STOP
            0x2e => return Ok(false),
            code => return Err(damaged(format!("the pickle has the unknown instruction {code}"))),
        }
        Ok(true)
    }

    fn push(&mut self, text: u64) -> Result<(), LoadError> {
        let bytes = OBJECT + text;
        self.budget.spend(bytes)?;
        self.stack.push(Item::Object(Size { bytes, depth: 1 }));
        Ok(())
    }

    fn push_number(&mut self, reader: &mut impl BufRead, bytes: u64) -> Result<(), LoadError> {
        skip(reader, bytes)?;
        self.push(0)
    }

    /// Pushes an object that contains objects of the size `inner`.
    fn push_size(&mut self, inner: Size) -> Result<(), LoadError> {
        self.budget.spend(OBJECT)?;
        let size = Size { bytes: inner.bytes.saturating_add(OBJECT), depth: inner.depth + 1 };
        self.stack.push(Item::Object(self.checked(size)?));
        Ok(())
    }

    fn checked(&self, size: Size) -> Result<Size, LoadError> {
        if size.depth > MAX_DEPTH {
            return Err(damaged(format!("the pickle has more than {MAX_DEPTH} levels")));
        }
        Ok(size)
    }

    fn pop(&mut self) -> Result<Size, LoadError> {
        match self.stack.pop() {
            Some(Item::Object(size)) => Ok(size),
            // The library that reads pickles treats a mark as an object here, so its size is counted too.
            Some(Item::Mark) => Ok(Size { bytes: OBJECT, depth: 1 }),
            None => Err(damaged("the pickle has an instruction without its objects")),
        }
    }

    /// Removes the last `count` objects, and returns the sum of their sizes.
    fn pop_many(&mut self, count: usize) -> Result<Size, LoadError> {
        let mut sum = Size { bytes: 0, depth: 0 };
        for _ in 0..count {
            sum = sum.and(self.pop()?);
        }
        Ok(sum)
    }

    fn pop_to_mark(&mut self) -> Result<Size, LoadError> {
        let mut sum = Size { bytes: 0, depth: 0 };
        loop {
            match self.stack.pop() {
                Some(Item::Object(size)) => sum = sum.and(size),
                Some(Item::Mark) => return Ok(sum),
                None => return Err(damaged("the pickle lacks a mark")),
            }
        }
    }

    fn combine(&mut self, count: usize) -> Result<(), LoadError> {
        let inner = self.pop_many(count)?;
        self.push_size(inner)
    }

    fn add_to_last(&mut self, count: usize) -> Result<(), LoadError> {
        let inner = self.pop_many(count)?;
        self.grow_last(inner)
    }

    fn grow_last(&mut self, inner: Size) -> Result<(), LoadError> {
        let last = self.pop()?;
        let size = Size { bytes: last.bytes.saturating_add(inner.bytes), depth: last.depth.max(inner.depth + 1) };
        self.stack.push(Item::Object(self.checked(size)?));
        Ok(())
    }

    /// Copies the last object to the memo.
    fn store(&mut self, id: u64) -> Result<(), LoadError> {
        let size = self.pop()?;
        self.budget.spend(size.bytes)?;
        self.stack.push(Item::Object(size));
        self.memo.insert(u32::try_from(id).unwrap_or(u32::MAX), size);
        Ok(())
    }

    /// Copies an object of the memo to the stack.
    fn copy(&mut self, id: u64) -> Result<(), LoadError> {
        let known = self.memo.get(&u32::try_from(id).unwrap_or(u32::MAX)).copied();
        let size = known.ok_or_else(|| damaged(format!("the memo of the pickle has no object {id}")))?;
        self.budget.spend(size.bytes)?;
        self.stack.push(Item::Object(size));
        Ok(())
    }
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), depth: self.depth.max(other.depth) }
    }
}

fn damaged(reason: impl Display) -> LoadError {
    LoadError::Files(format!("{reason}; the file is damaged or not a PyTorch checkpoint"))
}

/// Reads a little-endian number of up to 8 bytes.
fn number(reader: &mut impl BufRead, bytes: usize) -> Result<u64, LoadError> {
    let mut number = [0; 8];
    reader.read_exact(&mut number[..bytes]).map_err(damaged)?;
    Ok(u64::from_le_bytes(number))
}

fn skip(reader: &mut impl BufRead, bytes: u64) -> Result<(), LoadError> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink()).map_err(damaged)?;
    if skipped == bytes { Ok(()) } else { Err(damaged(io::Error::from(io::ErrorKind::UnexpectedEof))) }
}

/// Skips a line of at most `most` bytes, and returns its length.
fn line(reader: &mut impl BufRead, most: u64) -> Result<u64, LoadError> {
    let mut length = 0_u64;
    loop {
        let bytes = reader.fill_buf().map_err(damaged)?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        reader.consume(count);
        length += count as u64;
        // At the end of the file, the library accepts a line without a line break.
        if end.is_some() || count == 0 || length > most {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pickle: &[u8]) -> Option<String> {
        Budget::new(1 << 20).take(&mut &*pickle).err().map(|error| error.to_string())
    }

    #[test]
    fn pickle_whose_objects_double_with_each_copy_is_rejected() {
        // The pickle is x = (), and then 40 times x = (x, x).
        let mut pickle = b"\x80\x02)q\x00".to_vec();
        (0..40).for_each(|_| pickle.extend(b"h\x00h\x00\x86q\x00"));
        pickle.push(b'.');
        assert!(refusal(&pickle).expect("an error").contains("too much memory"));
    }

    #[test]
    fn pickle_with_deeply_nested_objects_is_rejected() {
        let nested = |levels: usize| [b"\x80\x02)".as_slice(), &b"\x85".repeat(levels), b"."].concat();
        assert_eq!(refusal(&nested(90)), None);
        assert!(refusal(&nested(200)).expect("an error").contains("levels"));
        let lists = [&b"]".repeat(200)[..], &b"a".repeat(199), b"."].concat();
        assert!(refusal(&lists).expect("an error").contains("levels"));
    }

    #[test]
    fn pickle_with_many_objects_or_long_texts_is_rejected() {
        assert!(refusal(&[&b"N".repeat(100_000)[..], b"."].concat()).expect("an error").contains("too much memory"));
        let text = [&b"X\xff\xff\xff\xff"[..], b"abc."].concat();
        assert!(refusal(&text).expect("an error").contains("too much memory"));
        assert_eq!(refusal(b"X\x03\x00\x00\x00abc."), None);
        assert!(refusal(b"X\x04\x00\x00\x00abc").expect("an error").contains("damaged"));
    }

    #[test]
    fn pickle_instruction_without_its_objects_is_rejected() {
        for pickle in [&b"R."[..], b"t.", b"h\x07.", b"\x86", b"\xff.", b"", b"q\x00"] {
            assert!(refusal(pickle).expect("an error").contains("damaged"), "{pickle:?}");
        }
    }
}
