//! Removes quoted mails and signatures from the text of a mail, so that a post contains only what its author wrote. If
//! no text would remain, as in a mail that only forwards another one, the text is not changed.

use super::super::html as markup;

/// The maximum number of lines that introduce a quotation ("On …, Ada wrote:").
const INTRODUCTION: usize = 3;
/// The number of lines, including the line `From:`, that are checked to decide whether they are the header of a quoted
/// mail.
const HEADER: usize = 5;
/// The labels of the first line of a quoted mail's header, in lower case.
const FROM: [&str; 5] = ["from:", "von:", "de :", "de:", "da:"];
/// The labels of the other lines of a quoted mail's header, in lower case.
const OTHERS: [&str; 12] = [
    "sent:",
    "date:",
    "to:",
    "gesendet:",
    "datum:",
    "an:",
    "envoyé",
    "enviado",
    "inviato:",
    "para:",
    "à :",
    "subject:",
];
/// Marks in HTML after which mail programs put the quoted mail. The rest of the document is the quotation.
const QUOTED: [&str; 3] = ["id=\"divRplyFwdMsg\"", "id=\"appendonsend\"", "id=\"reply-intro\""];

/// Removes quotations and signatures from plain text.
pub fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let end = (0..lines.len()).find(|at| ends_at(&lines[*at..])).unwrap_or(lines.len());
    let mut kept: Vec<&str> = Vec::new();
    let mut is_quoting = false;
    for line in &lines[..end] {
        if line.trim_start().starts_with('>') {
            if !is_quoting {
                remove_introduction(&mut kept);
            }
            is_quoting = true;
        } else {
            is_quoting = is_quoting && line.is_empty();
            kept.push(line);
        }
    }
    let own = kept.join("\n").trim().to_owned();
    if own.is_empty() { lines.join("\n").trim().to_owned() } else { own }
}

/// Converts HTML to text without quotations and signatures.
pub fn html(source: &str) -> String {
    let own = without_quotation(source);
    let text = plain(&markup::text(&own));
    if text.is_empty() { plain(&markup::text(source)) } else { text }
}

/// Whether the author's text ends before these lines, because a signature (RFC 3676, section 4.3) or a quoted mail
/// begins.
fn ends_at(lines: &[&str]) -> bool {
    let Some(first) = lines.first() else { return true };
    let line = first.trim();
    // The line `-- ` begins a signature. Many programs remove its trailing space.
    if *first == "--" || is_rule(line) {
        return true;
    }
    let begins = |line: &str, labels: &[&str]| {
        let line = line.trim_start_matches(['*', ' ']).to_lowercase();
        labels.iter().any(|label| line.starts_with(label))
    };
    begins(line, &FROM) && lines.iter().take(HEADER).skip(1).any(|line| begins(line, &OTHERS))
}

/// Whether `line` is a rule such as `-----Original Message-----`.
fn is_rule(line: &str) -> bool {
    let inner = line.trim_matches('-');
    let (before, after) = (line.starts_with("-----"), line.ends_with("-----"));
    before && after && inner.chars().any(char::is_alphabetic)
}

/// Removes the lines that introduce a quotation, such as `On 1 March 2026, Ada <ada@example.org> wrote:`.
fn remove_introduction(kept: &mut Vec<&str>) {
    let text_end = kept.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
    let first = text_end.saturating_sub(INTRODUCTION);
    let blank = kept[first..text_end].iter().rposition(|line| line.trim().is_empty());
    let start = blank.map_or(first, |at| first + at + 1);
    // The introduction may follow the text without a blank line.
    let names = |at: usize| {
        let lines = kept[at..text_end].join(" ");
        lines.ends_with(':') && lines.contains(|c: char| c.is_ascii_digit() || c == '@')
    };
    if let Some(at) = (start..text_end).rev().find(|at| names(*at)) {
        let begins = |at: usize| at > start && kept[at].chars().next().is_some_and(char::is_lowercase);
        let mut at = at;
        while begins(at) {
            at -= 1;
        }
        kept.truncate(at);
    }
}

/// Removes the elements of `source` in which mail programs put quotations.
fn without_quotation(source: &str) -> String {
    let end = QUOTED.iter().filter_map(|mark| source.find(mark)).min().unwrap_or(source.len());
    // The mark is inside a tag, so the cut is at the start of the tag.
    let end = if end < source.len() { source[..end].rfind('<').unwrap_or(end) } else { end };
    let source = markup::without_class(&source[..end], "gmail_quote");
    let Some(start) = source.find("<blockquote").filter(|at| {
        let tag = source[*at..].split('>').next().unwrap_or_default();
        tag.contains("cite")
    }) else {
        return source.into_owned();
    };
    let rest = source.rfind("</blockquote>").map_or("", |at| &source[at.max(start)..]);
    format!("{}{rest}", &source[..start])
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn quotations_and_signatures_are_removed() {
        for (mail, expected) in [
            ("I love it\n\n-- \nAda\nCEO", "I love it"),
            ("I love it\n\nOn Sun, 1 Mar 2026 at 12:00, Bob <bob@example.org> wrote:\n> old\n>> older", "I love it"),
            ("I love it\n\nOn Sun, 1 Mar 2026 at 12:00, Bob <bob@example.org>\nwrote:\n\n> old", "I love it"),
            ("Yes:\n> Do you?\n\nNo, never.", "Yes:\n\nNo, never."),
            ("Am 01.03.2026 um 12:00 schrieb Bob:\n> alt\nIch liebe es", "Ich liebe es"),
            ("Great\n\n-----Original Message-----\nFrom: Bob\n\nold", "Great"),
            ("Great\n\nVon: Bob <b@example.org>\nGesendet: Sonntag\nAn: Ada\n\nalt", "Great"),
            ("From: the bottom of my heart\nthank you\nall", "From: the bottom of my heart\nthank you\nall"),
            (
                "---------- Forwarded message ---------\nFrom: Bob\n\nold",
                "---------- Forwarded message ---------\nFrom: Bob\n\nold",
            ),
            ("> only\n> a quotation", "> only\n> a quotation"),
            ("a -- b\n--- \nc", "a -- b\n---\nc"),
            ("", ""),
        ] {
            assert_eq!(plain(mail), expected, "{mail:?}");
        }
    }

    #[test]
    fn many_quotations_are_removed_in_linear_time() {
        let count = 32 * 1_024;
        let start = Instant::now();
        assert_eq!(plain(&"x\n>\n".repeat(count)), vec!["x"; count].join("\n"));
        // Linear work takes far less than this limit, and quadratic work takes far more.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn quotations_in_html_are_removed() {
        for (mail, expected) in [
            ("<p>I love it</p><div class=\"gmail_quote\"><div>On …</div>old</div>", "I love it"),
            ("I love it<br><blockquote type=\"cite\"><blockquote>old</blockquote></blockquote>", "I love it"),
            ("<p>I love it</p><hr><div id=\"divRplyFwdMsg\">From: Bob</div><p>old</p>", "I love it"),
            ("<blockquote>A poem</blockquote>", "A poem"),
            ("<div class=\"gmail_quote\">forwarded</div>", "forwarded"),
        ] {
            assert_eq!(html(mail), expected, "{mail}");
        }
    }
}
