//! Decompression of bodies in bounded steps.

use std::io::Read;

use actix_web::http::header::ContentEncoding;

/// The number of bytes that are decompressed between two checks of the limit.
const STEP: usize = 16 * 1024;

/// Why a body cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body expands to more than the limit.
    #[error("the decompressed body is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is truncated or not in the named encoding.
    #[error("{0}")]
    Corrupt(#[source] std::io::Error),
    /// No decoder exists for the encoding.
    #[error("the encoding is not supported")]
    Unsupported,
}

/// Decompresses `bytes` to at most `limit` bytes. It stops as soon as the output exceeds the limit.
///
/// # Errors
/// When the output exceeds the limit or the input is corrupt.
pub fn decode(encoding: ContentEncoding, bytes: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder: Box<dyn Read + '_> = match encoding {
        ContentEncoding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        ContentEncoding::Deflate => Box::new(flate2::read::ZlibDecoder::new(bytes)),
        ContentEncoding::Brotli => Box::new(brotli::Decompressor::new(bytes, STEP)),
        _ => return Err(DecodeError::Unsupported),
    };
    let (mut output, mut step) = (Vec::new(), [0; STEP]);
    loop {
        let read = decoder.read(&mut step).map_err(DecodeError::Corrupt)?;
        if read == 0 {
            return Ok(output);
        }
        if output.len() + read > limit {
            return Err(DecodeError::TooLarge { limit });
        }
        output.extend_from_slice(&step[..read]);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn decode_stops_at_the_limit() {
        let text = b"ten bytes!".repeat(10);
        assert_eq!(decode(ContentEncoding::Gzip, &gzip(&text), 100).unwrap(), text);
        let error = decode(ContentEncoding::Gzip, &gzip(&text), 99).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { limit: 99 }));
    }

    #[test]
    fn corrupt_input_is_refused() {
        let mut cut = gzip(b"some text that is cut");
        cut.truncate(15);
        for (encoding, bytes) in [
            (ContentEncoding::Gzip, &cut[..]),
            (ContentEncoding::Brotli, b"\xff\xff\xff"),
            (ContentEncoding::Deflate, b"x"),
        ] {
            assert!(matches!(decode(encoding, bytes, 100), Err(DecodeError::Corrupt(_))), "{encoding:?}");
        }
    }
}
