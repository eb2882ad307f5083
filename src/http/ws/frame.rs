//! The frames that the server sends, as JSON text.

use actix_web::web::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::json;

use crate::domain::Timestamp;

/// A text frame; clones share the text.
pub type Frame = ByteString;

struct Shared(std::sync::Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A frame over shared text, without a copy.
pub fn shared(json: std::sync::Arc<str>) -> Frame {
    // The conversion cannot fail, because a `str` is UTF-8.
    ByteString::try_from(Bytes::from_owner(Shared(json))).unwrap_or_default()
}

fn frame(value: &serde_json::Value) -> Frame {
    value.to_string().into()
}

/// The first frame of a connection.
pub fn connected(now: Timestamp) -> Frame {
    frame(
        &json!({"type": "connected", "message": "Connected. New posts are sent as they are analysed.", "timestamp": now}),
    )
}

/// The answer to a ping in JSON.
pub fn pong(now: Timestamp) -> Frame {
    frame(&json!({"type": "pong", "timestamp": now}))
}

/// The answer to a subscription: the filters now in effect.
pub fn subscribed<T: Serialize>(filters: &T) -> Frame {
    frame(&json!({"type": "subscribed", "filters": filters}))
}

/// The answer to an invalid message.
pub fn error(message: &str) -> Frame {
    frame(&json!({"type": "error", "message": message}))
}

/// The notice that a client missed events: their number, or `None` for an unknown number.
pub fn lagged(missed: Option<u64>) -> Frame {
    frame(&json!({"type": "lagged", "missed": missed}))
}
