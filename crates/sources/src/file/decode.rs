//! Converts the bytes of a file to UTF-8. Compression and encoding are detected from the first bytes.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The number of bytes that are checked to detect UTF-16 without a byte-order mark.
const SAMPLE: usize = 64;
/// The number of bytes per read of the decoder.
const BUFFER: usize = 64 << 10;

/// Decompresses `input` and converts it to UTF-8. `encoding` overrides the detected encoding.
///
/// # Errors
/// When the input cannot be read.
pub fn utf8(input: Box<dyn Read + Send>, encoding: Option<&'static Encoding>) -> io::Result<Box<dyn Read + Send>> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    let head = peek(&mut input, ZSTD.len())?;
    let plain: Box<dyn Read + Send> = match () {
        () if head.starts_with(GZIP) => Box::new(Gzip(MultiGzDecoder::new(input))),
        () if head.starts_with(ZSTD) => Box::new(Zstd { input, decoder: FrameDecoder::new(), is_open: false }),
        () => Box::new(input),
    };
    let mut plain = BufReader::with_capacity(BUFFER, plain);
    let sample = peek(&mut plain, SAMPLE)?;
    let encoding = encoding.or_else(|| Encoding::for_bom(&sample).map(|(encoding, _)| encoding));
    match encoding.or_else(|| utf16(&sample)) {
        Some(encoding) if encoding != UTF_8 => Ok(Box::new(Transcoder::new(plain, encoding))),
        _ => Ok(Box::new(plain)),
    }
}

/// The first `count` bytes, or fewer if the first read returns fewer. The bytes are not consumed.
fn peek<R: Read>(input: &mut BufReader<R>, count: usize) -> io::Result<Vec<u8>> {
    let head = input.fill_buf()?.to_vec();
    if head.is_empty() || head.len() >= count {
        return Ok(head[..head.len().min(count)].to_vec());
    }
    // A pipe may deliver only a few bytes at first. Only these bytes are then used for the detection.
    Ok(head)
}

/// Detects UTF-16 without a byte-order mark: in text of Western languages every other byte is zero.
fn utf16(sample: &[u8]) -> Option<&'static Encoding> {
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let half = sample.len() / 2;
    match (zeros(0), zeros(1)) {
        (0, low) if half >= 2 && low * 2 > half => Some(UTF_16LE),
        (high, 0) if half >= 2 && high * 2 > half => Some(UTF_16BE),
        _ => None,
    }
}

fn damaged(kind: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the {kind} data is damaged or incomplete"))
}

/// Decompresses gzip data with any number of members.
struct Gzip<R>(MultiGzDecoder<R>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        self.0.read(buffer).map_err(|error| match error.kind() {
            InvalidData | InvalidInput | UnexpectedEof => damaged("gzip"),
            _ => error,
        })
    }
}

/// Decompresses Zstandard data with any number of frames.
struct Zstd<R> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    is_open: bool,
}

impl<R: Read> Zstd<R> {
    /// Starts the next frame. Returns `false` at the end of the input.
    fn open(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => {
                    self.is_open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.input).take(u64::from(length)), &mut io::sink())?;
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                    let mib = requested >> 20;
                    let reason = format!("the zstd data needs a window of {mib} MiB: compress it without --long");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
                Err(_) => return Err(damaged("zstd")),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        loop {
            if !self.is_open && !self.open()? {
                return Ok(0);
            }
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.input, UptoBytes(BUFFER));
                decoded.map_err(|_| damaged("zstd"))?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.is_open = !self.decoder.is_finished();
        }
    }
}

/// Decodes any encoding of the WHATWG standard. Invalid sequences become U+FFFD.
struct Transcoder<R> {
    input: R,
    decoder: Decoder,
    text: Vec<u8>,
    start: usize,
    is_finished: bool,
}

impl<R: BufRead> Transcoder<R> {
    fn new(input: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { input, decoder, text: Vec::new(), start: 0, is_finished: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let bytes = self.input.fill_buf()?;
        let last = bytes.is_empty();
        let room = self.decoder.max_utf8_buffer_length(bytes.len().min(BUFFER)).unwrap_or(BUFFER);
        self.text.resize(room, 0);
        let (result, read, written, _) =
            self.decoder.decode_to_utf8(&bytes[..bytes.len().min(BUFFER)], &mut self.text, last);
        self.text.truncate(written);
        self.start = 0;
        self.is_finished = last && result == CoderResult::InputEmpty;
        self.input.consume(read);
        Ok(())
    }
}

impl<R: BufRead> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.start == self.text.len() && !self.is_finished {
            self.fill()?;
        }
        let count = buffer.len().min(self.text.len() - self.start);
        buffer[..count].copy_from_slice(&self.text[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }
}
