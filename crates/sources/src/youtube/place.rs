//! Parses ids, handles and URLs of videos and channels.

use std::fmt;

use url::Url;

/// The length of the id of a video.
const VIDEO_ID: usize = 11;
/// The length of the id of a channel, which begins with `UC`.
const CHANNEL_ID: usize = 24;
/// The maximum length of a handle.
const MAX_HANDLE: usize = 60;

/// A place whose comments are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A video, by its id.
    Video(String),
    /// A channel, with the comments on all of its videos.
    Channel(Channel),
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The id `UC…`.
    Id(String),
    /// The handle `@name`.
    Handle(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(id) => write!(f, "video {id}"),
            Self::Channel(channel) => write!(f, "channel {channel}"),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(name) | Self::Handle(name) => f.write_str(name),
        }
    }
}

/// Parses the id of a video, or the URL of its page. `None`: the text does not name a video.
pub fn video(text: &str) -> Option<String> {
    let text = text.trim();
    let is_id = |id: &String| id.len() == VIDEO_ID && is_name(id);
    let Some((url, path)) = page(text) else { return Some(text.to_owned()).filter(is_id) };
    let id = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["watch"] => url.query_pairs().find(|(key, _)| key == "v").map(|(_, id)| id.into_owned()),
        ["shorts" | "live" | "embed" | "v", id, ..] => Some((*id).to_owned()),
        [id] if url.host_str() == Some("youtu.be") => Some((*id).to_owned()),
        _ => None,
    };
    id.filter(is_id)
}

/// Parses the id or the handle of a channel, or the URL of its page. `None`: the text does not name a channel.
pub fn channel(text: &str) -> Option<Channel> {
    let text = text.trim();
    let name = match page(text) {
        None => text.to_owned(),
        Some((_, path)) => match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["channel", id, ..] => (*id).to_owned(),
            [handle, ..] if handle.starts_with('@') => (*handle).to_owned(),
            _ => return None,
        },
    };
    if let Some(handle) = name.strip_prefix('@') {
        let is_handle = (3..=MAX_HANDLE).contains(&handle.chars().count())
            && handle.chars().all(|c| c.is_alphanumeric() || "_-.·".contains(c));
        return is_handle.then_some(Channel::Handle(name));
    }
    (name.len() == CHANNEL_ID && name.starts_with("UC") && is_name(&name)).then_some(Channel::Id(name))
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

/// Parses the URL of a page of YouTube, and returns it with the decoded segments of its path.
fn page(text: &str) -> Option<(Url, Vec<String>)> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&with_scheme).ok()?;
    let host = url.host_str()?;
    let host = host.strip_prefix("www.").or_else(|| host.strip_prefix("m.")).unwrap_or(host);
    if !matches!(host, "youtube.com" | "youtu.be" | "music.youtube.com" | "youtube-nocookie.com") {
        return None;
    }
    let parts = url.path_segments()?.filter(|part| !part.is_empty());
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts = parts.map(decoded).collect();
    Some((url, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn video_is_read_from_its_id_or_url() {
        for text in [
            "dQw4w9WgXcQ",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
            "youtube.com/watch?list=x&v=dQw4w9WgXcQ",
            "https://youtu.be/dQw4w9WgXcQ?si=x",
            "https://m.youtube.com/shorts/dQw4w9WgXcQ",
            "https://www.youtube.com/live/dQw4w9WgXcQ",
        ] {
            assert_eq!(video(text).as_deref(), Some("dQw4w9WgXcQ"), "{text}");
        }
        for text in ["", "short", "https://example.org/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/@ada"] {
            assert_eq!(video(text), None, "{text}");
        }
    }

    #[test]
    fn channel_is_read_from_its_id_handle_or_url() {
        let id = "UC_x5XG1OV2P6uZZ5FSM9Ttw";
        for text in [id.to_owned(), format!("https://www.youtube.com/channel/{id}/videos")] {
            assert_eq!(channel(&text), Some(Channel::Id(id.to_owned())), "{text}");
        }
        for text in ["@ada.l", "https://www.youtube.com/@ada.l", "youtube.com/@ada.l/videos"] {
            assert_eq!(channel(text), Some(Channel::Handle("@ada.l".to_owned())), "{text}");
        }
        let handle = Channel::Handle("@käse".to_owned());
        assert_eq!(channel("https://www.youtube.com/@k%C3%A4se"), Some(handle));
        for text in ["", "ada", "@", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://example.org/@ada.l"] {
            assert_eq!(channel(text), None, "{text}");
        }
    }
}
