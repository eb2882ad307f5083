//! Decompresses frames that a host compressed with a published dictionary. Compression halves the traffic.
//!
//! With `compress=true` Jetstream sends each event as a binary message that holds one Zstandard frame
//! (<https://github.com/bluesky-social/jetstream>, `internal/subscribe/compress.go`).

use std::fs::File;
use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ruzstd::decoding::errors::{DictionaryDecodeError, FrameDecoderError};
use ruzstd::decoding::{BlockDecodingStrategy, Dictionary as Tables, FrameDecoder};

use super::event::MAX_EVENT_BYTES;

/// The maximum size of a dictionary, in bytes. The published dictionary has 110 KiB.
const MAX_DICTIONARY_BYTES: u64 = 8 << 20;
/// The maximum window of a frame, in bytes. Hosts use 128 KiB.
const MAX_WINDOW_BYTES: u64 = 8 << 20;
/// The number of bytes that are decompressed between two checks of the size of the event.
const STEP: usize = 64 << 10;

/// A dictionary. Clones are cheap.
#[derive(Clone)]
pub struct Dictionary {
    id: u32,
    bytes: Arc<[u8]>,
}

/// Why a dictionary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    Unreadable(#[from] io::Error),
    /// The file exceeds the maximum size of a dictionary.
    #[error("the file has more than {} MiB, which is too large for a zstd dictionary", MAX_DICTIONARY_BYTES >> 20)]
    TooLarge,
    /// The file is not a zstd dictionary.
    #[error("the file is not a zstd dictionary ({0}): download it again, as docs/sources.md describes")]
    Malformed(DictionaryDecodeError),
}

/// Why a frame cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// The event is compressed, and no dictionary is configured.
    #[error("the host compresses events: set `zstd_dictionary`, or remove compress=true from the URL in `hosts`")]
    NoDictionary,
    /// The event was compressed with another dictionary.
    #[error(
        "the frame needs the zstd dictionary {needed}, and `zstd_dictionary` has {present}: download the \
         dictionary of the host, as docs/sources.md describes, or remove the setting"
    )]
    OtherDictionary { needed: u32, present: u32 },
    /// The decompressed event exceeds `MAX_EVENT_BYTES`, or its frame exceeds `MAX_WINDOW_BYTES`.
    #[error("the event has more than {MAX_EVENT_BYTES} bytes after decompression, or needs a window of over 8 MiB")]
    TooLarge,
    /// The data is not valid zstd.
    #[error("the frame of {bytes} bytes is not valid zstd data: {reason}")]
    Damaged { bytes: usize, reason: String },
}

impl Dictionary {
    /// Reads a dictionary from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than 8 MiB, or is not a dictionary.
    pub fn read(path: &Path) -> Result<Self, DictionaryError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_DICTIONARY_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_DICTIONARY_BYTES {
            return Err(DictionaryError::TooLarge);
        }
        Self::new(&bytes)
    }

    /// Parses the dictionary in `bytes`.
    ///
    /// # Errors
    /// When `bytes` is not a dictionary.
    pub fn new(bytes: &[u8]) -> Result<Self, DictionaryError> {
        let tables = Tables::decode_dict(bytes).map_err(DictionaryError::Malformed)?;
        Ok(Self { id: tables.id, bytes: bytes.into() })
    }
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dictionary").field("id", &self.id).field("bytes", &self.bytes.len()).finish()
    }
}

/// Decompresses the frames of a connection.
pub struct Inflater {
    decoder: FrameDecoder,
    dictionary: Dictionary,
    /// Whether a frame was decompressed, which proves that the dictionary is the right one.
    pub is_proven: bool,
}

impl Inflater {
    /// Creates a decompressor for a connection.
    ///
    /// # Errors
    /// When the dictionary cannot be used.
    pub fn new(dictionary: &Dictionary) -> Result<Self, DictionaryError> {
        Ok(Self { decoder: decoder(dictionary)?, dictionary: dictionary.clone(), is_proven: false })
    }

    /// Decompresses the text of a frame.
    ///
    /// # Errors
    /// When the frame is damaged, needs another dictionary, or exceeds the maximum size of an event.
    pub fn inflate(&mut self, frame: &[u8]) -> Result<String, InflateError> {
        // The library panics on some malformed frames. This panic must not end the source.
        let read = catch_unwind(AssertUnwindSafe(|| self.read(frame)));
        let text = read.unwrap_or_else(|_| {
            if let Ok(decoder) = decoder(&self.dictionary) {
                self.decoder = decoder;
            }
            Err(InflateError::Damaged { bytes: frame.len(), reason: "the decoder panicked".to_owned() })
        })?;
        self.is_proven = true;
        Ok(text)
    }

    fn read(&mut self, frame: &[u8]) -> Result<String, InflateError> {
        let damaged = |reason: String| InflateError::Damaged { bytes: frame.len(), reason };
        let failed = |error: FrameDecoderError| match error {
            FrameDecoderError::DictNotProvided { dict_id } => {
                InflateError::OtherDictionary { needed: dict_id, present: self.dictionary.id }
            }
            FrameDecoderError::WindowSizeTooBig { .. } => InflateError::TooLarge,
            other => damaged(other.to_string()),
        };
        let mut input = frame;
        let mut text = Vec::new();
        self.decoder.reset(&mut input).map_err(failed)?;
        while !self.decoder.is_finished() {
            self.decoder.decode_blocks(&mut input, BlockDecodingStrategy::UptoBytes(STEP)).map_err(failed)?;
            self.decoder.collect_to_writer(&mut text).map_err(|error| damaged(error.to_string()))?;
            if text.len() > MAX_EVENT_BYTES {
                return Err(InflateError::TooLarge);
            }
        }
        if !input.is_empty() {
            return Err(damaged(format!("{} bytes follow the frame", input.len())));
        }
        String::from_utf8(text).map_err(|error| damaged(error.to_string()))
    }
}

fn decoder(dictionary: &Dictionary) -> Result<FrameDecoder, DictionaryError> {
    let tables = Tables::decode_dict(&dictionary.bytes).map_err(DictionaryError::Malformed)?;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    // `add_dict` cannot fail for a dictionary that was parsed.
    let _ = decoder.add_dict(tables);
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A dictionary that `zstd --train` created from 3,000 generated events.
    const DICTIONARY: &[u8] = include_bytes!("../../../../tests/data/jetstream/dictionary.zdict");
    const EVENT: &str = include_str!("../../../../tests/data/jetstream/event.json");
    /// [`EVENT`], compressed by `zstd -D dictionary.zdict`.
    const FRAME: &[u8] = include_bytes!("../../../../tests/data/jetstream/event.zst");

    fn inflater() -> Inflater {
        Inflater::new(&Dictionary::new(DICTIONARY).unwrap()).unwrap()
    }

    /// A frame of `blocks` blocks. Each block repeats one byte 128 Ki times.
    fn repeating(blocks: usize) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
        for block in 1..=blocks {
            let header = ((128 << 10) << 3) | (1 << 1) | u32::from(block == blocks);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.push(b'a');
        }
        frame
    }

    #[test]
    fn frame_is_decompressed_with_its_dictionary() {
        let mut inflater = inflater();
        for _ in 0..3 {
            assert_eq!(inflater.inflate(FRAME).unwrap(), EVENT);
        }
        assert!(FRAME.len() * 3 < EVENT.len() && inflater.is_proven);
    }

    #[test]
    fn event_above_the_limit_is_refused_while_it_inflates() {
        let mut inflater = inflater();
        assert_eq!(inflater.inflate(&repeating(8)).unwrap().len(), MAX_EVENT_BYTES);
        assert!(matches!(inflater.inflate(&repeating(9)), Err(InflateError::TooLarge)));
        // A frame of 80 KiB that decompresses to 2.5 GiB.
        assert!(matches!(inflater.inflate(&repeating(20_000)), Err(InflateError::TooLarge)));
        // A frame with a window of 2 TiB.
        assert!(matches!(inflater.inflate(b"\x28\xb5\x2f\xfd\x00\xf8\x01\x00\x00"), Err(InflateError::TooLarge)));
        assert_eq!(inflater.inflate(FRAME).unwrap(), EVENT, "the next frame is read");
    }

    #[test]
    fn error_names_the_unusable_frame_or_dictionary() {
        let mut inflater = inflater();
        let mut other = FRAME.to_vec();
        let at = other.windows(1).position(|byte| byte == [77]).unwrap();
        other[at] = 78;
        let error = inflater.inflate(&other).unwrap_err().to_string();
        assert!(error.contains("needs the zstd dictionary 78") && error.contains("has 77"), "{error}");
        for frame in [&b""[..], b"{}", &FRAME[..40], &[FRAME, b"more"].concat(), &repeating(1)[..8]] {
            assert!(matches!(inflater.inflate(frame), Err(InflateError::Damaged { .. })), "{frame:?}");
        }
        assert_eq!(inflater.inflate(FRAME).unwrap(), EVENT, "the next frame is read");
        for wrong in [&b""[..], b"<html>404: Not Found</html>", &DICTIONARY[..100]] {
            assert!(matches!(Dictionary::new(wrong), Err(DictionaryError::Malformed(_))));
        }
        assert!(matches!(Dictionary::read(Path::new("/nonexistent")), Err(DictionaryError::Unreadable(_))));
    }

    proptest! {
        #[test]
        fn damaged_frames_never_panic(flips in proptest::collection::vec((0..122_usize, any::<u8>()), 1..6)) {
            let mut frame = FRAME.to_vec();
            for (at, byte) in flips {
                let at = at % frame.len();
                frame[at] = byte;
            }
            let _ = inflater().inflate(&frame);
        }
    }
}
