//! Extracts the text of a mail (RFC 2045, RFC 2046): the plain text of each part, or else the text of its HTML.
//! Attachments and attached mails are left out.
//!
//! The parts are split here, and `mail-parser` decodes only single parts with text. The parser represents nested
//! attached mails by nested values, and a malicious mail could nest them too deep for the stack. A truncated mail
//! yields the text of its first bytes.

use mail_parser::{ContentType, MessageParser, MimeHeaders as _};

use super::trim;

/// The maximum nesting depth of parts.
const MAX_DEPTH: usize = 8;
/// The maximum number of subparts of a part.
const MAX_PARTS: usize = 50;

/// The text of a part.
struct Text {
    text: String,
    /// Whether the part was plain text, not HTML.
    is_plain: bool,
}

/// The text of the mail `raw`, without quotations and signatures.
pub fn text(raw: &[u8]) -> String {
    part(raw, 0).map(|found| found.text).unwrap_or_default()
}

/// Splits a mail or a part into its header and its body.
pub fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            let (head, body) = raw.split_at(at);
            return (&head[..head.len() - line.len()], body);
        }
    }
    (raw, &[])
}

fn part(raw: &[u8], depth: usize) -> Option<Text> {
    let (head, body) = split(raw);
    let headers = MessageParser::default().parse_headers(head);
    let kind = headers.as_ref().and_then(|headers| headers.content_type());
    match (kind.map(ContentType::ctype), kind.and_then(ContentType::subtype)) {
        (Some("multipart"), subtype) => {
            let boundary = kind.and_then(|kind| kind.attribute("boundary")).filter(|_| depth < MAX_DEPTH)?;
            let found = parts(body, boundary).into_iter().filter_map(|raw| part(raw, depth + 1)).collect();
            if subtype == Some("alternative") { best(found) } else { joined(found) }
        }
        (None | Some("text"), None | Some("plain" | "html")) => {
            let disposition = headers.as_ref().and_then(|headers| headers.content_disposition());
            if disposition.is_some_and(ContentType::is_attachment) {
                return None;
            }
            let is_plain = kind.and_then(ContentType::subtype) != Some("html");
            let charset = kind.and_then(|kind| kind.attribute("charset"));
            let encoding = headers.as_ref().and_then(|headers| headers.content_transfer_encoding());
            let content = decoded(body, charset.unwrap_or_default(), encoding.unwrap_or_default())?;
            let text = if is_plain { trim::plain(&content) } else { trim::html(&content) };
            Some(Text { text, is_plain }).filter(|found| !found.text.trim().is_empty())
        }
        _ => None,
    }
}

/// Decodes a body. The parser receives a new header instead of the header of the mail, so that it always sees a single
/// part.
fn decoded(body: &[u8], charset: &str, encoding: &str) -> Option<String> {
    let word =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:".contains(*c)).collect::<String>();
    let (charset, encoding) = (word(charset), word(encoding));
    let charset = if charset.is_empty() { "utf-8" } else { &charset };
    let encoding = if encoding.is_empty() { "8bit" } else { &encoding };
    let head = format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let part = [head.as_bytes(), body].concat();
    let message = MessageParser::default().parse(&part)?;
    message.parts.first()?.text_contents().map(str::to_owned)
}

/// Selects the plain text among alternatives. Without plain text, selects the last alternative, which is closest to the
/// original (RFC 2046, section 5.1.4).
fn best(mut forms: Vec<Text>) -> Option<Text> {
    let plain = forms.iter().position(|form| form.is_plain);
    match plain {
        Some(at) => Some(forms.swap_remove(at)),
        None => forms.pop(),
    }
}

fn joined(found: Vec<Text>) -> Option<Text> {
    let is_plain = found.first()?.is_plain;
    let texts: Vec<String> = found.into_iter().map(|found| found.text).collect();
    Some(Text { text: texts.join("\n\n"), is_plain })
}

/// The parts between the lines `--boundary` (RFC 2046, section 5.1.1). The last part may be truncated.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let (mut found, mut start, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(mark.as_bytes()).map(<[u8]>::trim_ascii);
        let end = at;
        at += line.len();
        let Some(rest @ (b"" | b"--")) = rest else { continue };
        if let Some(start) = start.take() {
            found.push(&body[start..end]);
        }
        if rest == b"--" || found.len() >= MAX_PARTS {
            return found;
        }
        start = Some(at);
    }
    found.extend(start.map(|start| &body[start..]));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_preferred_to_html() {
        let mail = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n--a b\r\n\
            Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nI love=\r\n caf=C3=A9s\r\n--c\r\n\
            Content-Type: text/html\r\n\r\n<p>I love the markup</p>\r\n--c--\r\n--a b\r\n\
            Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x.txt\r\n\r\nattached\r\n--a b\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: attached\r\n\r\nmail\r\n--a b\r\n\
            \r\nThe footer\r\n--a b--\r\nepilogue\r\n";
        assert_eq!(text(mail.as_bytes()), "I love cafés\n\nThe footer");
        assert_eq!(text(mail.replace("\r\n", "\n").as_bytes()), "I love cafés\n\nThe footer");
    }

    #[test]
    fn charsets_and_encodings_are_decoded() {
        let html = "Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n\
            PHA+U2No9m48L3A+\r\n";
        assert_eq!(text(html.as_bytes()), "Schön");
        let japanese = b"Content-Type: text/plain; charset=shift_jis\r\n\r\n\x8d\x44\x82\xab\r\n";
        assert_eq!(text(japanese), "好き");
        assert_eq!(text("Subject: x\r\n\r\nno MIME\r\n".as_bytes()), "no MIME");
        assert_eq!(text(b"Content-Type: image/png\r\n\r\n\x89PNG"), "");
        assert_eq!(text(b"\r\nno header"), "no header");
        assert_eq!(text(b""), "");
    }

    #[test]
    fn truncated_mail_yields_the_text_before_the_cut() {
        let mail = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nI love it\r\n--a\r\n\
            Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KG";
        assert_eq!(text(mail), "I love it");
        assert_eq!(text(&mail[..58]), "I love");
    }

    #[test]
    fn nested_parts_are_read_in_bounded_time() {
        let mut mail = String::new();
        for depth in 0..3_000 {
            mail.push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"));
        }
        assert_eq!(text(mail.as_bytes()), "");
        let attached = "Content-Type: message/rfc822\r\n\r\n".repeat(4_000);
        assert_eq!(text(attached.as_bytes()), "");
        let many = format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", "--a\r\n\r\nx\r\n".repeat(9_000));
        assert_eq!(text(many.as_bytes()).matches('x').count(), MAX_PARTS);
    }
}
