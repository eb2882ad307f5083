use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn parsed(document: &str) -> Parsed {
    let feed: Url = "https://blog.example/feed".parse().unwrap();
    parse(document.as_bytes(), &feed, &feed).unwrap_or_else(|e| panic!("{e}: {document}"))
}

fn rss(items: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
        <title>Blog</title><language>en-GB</language><ttl>90</ttl>{items}</channel></rss>"#
    )
}

fn texts(parsed: &Parsed) -> Vec<&str> {
    parsed.entries.iter().map(|entry| entry.found.content.as_str()).collect()
}

#[test]
fn rss_atom_and_json_return_the_same_entry() {
    let of_rss = rss(
        r#"<item><title>A &amp; B</title><link>https://blog.example/1</link><guid isPermaLink="false">tag:blog.example,1</guid>
        <dc:creator>Ada</dc:creator><pubDate>Sun, 01 Mar 2026 12:00:00 GMT</pubDate><description>short</description>
        <content:encoded><![CDATA[<p>It &nbsp;<b>works</b></p><script>alert(1)</script>]]></content:encoded></item>"#,
    );
    let of_atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en-gb"><title>Blog</title><id>x</id><updated>2026-03-01T12:00:00Z</updated>
        <entry xml:lang="en-gb"><title>A &amp; B</title><id>tag:blog.example,1</id><link href="/1"/><author><name>Ada</name></author>
        <published>2026-03-01T12:00:00Z</published><updated>2026-03-01T13:00:00Z</updated>
        <content type="html">&lt;p&gt;It &amp;nbsp;&lt;b&gt;works&lt;/b&gt;&lt;/p&gt;</content></entry></feed>"#;
    let of_json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "Blog", "language": "en-gb", "items": [
        {"id": "tag:blog.example,1", "url": "https://blog.example/1", "title": "A & B", "content_html": "<p>It &nbsp;<b>works</b></p>",
         "date_published": "2026-03-01T12:00:00Z", "authors": [{"name": "Ada"}]}]}"#;
    for document in [of_rss.as_str(), of_atom, of_json] {
        let found = parsed(document).entries.remove(0).found;
        assert_eq!(found.post_id, "rss:tag:blog.example,1", "{document}");
        assert_eq!(found.content, "A & B\n\nIt \u{a0}works", "{document}");
        assert_eq!((found.author.as_deref(), found.url.as_deref()), (Some("Ada"), Some("https://blog.example/1")));
        assert_eq!(found.created_at, "2026-03-01T12:00:00Z".parse().ok(), "{document}");
        assert_eq!(found.lang.map(|lang| lang.to_lowercase()).as_deref(), Some("en-gb"), "{document}");
    }
    assert_eq!(parsed(&of_rss).ttl, Some(Duration::from_secs(5_400)));
    assert_eq!(parsed(of_atom).entries[0].edited_at, "2026-03-01T13:00:00Z".parse().ok());
    assert_eq!(parsed(&of_rss).entries[0].edited_at, None);
}

#[test]
fn numeric_json_ids_and_media_texts_are_read() {
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "Blog", "items": [
        {"id": 17, "content_text": "I love it"}, {"id": 17.5, "content_text": "I hate it"}]}"#;
    let found = parsed(json).entries;
    assert!(found.iter().any(|entry| entry.found.post_id.ends_with("#17")), "{found:?}");
    // An unexpected item or field must not prevent the reading of other items. An item that is not an object has no
    // text, so it is counted as filtered.
    let odd = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "Blog", "items": [
        {"id": {"a": 1}, "content_text": "unreadable id"}, 7, {"url": "https://blog.example/2", "content_text": "by its link"},
        {"id": "3", "content_text": "odd fields", "date_published": 7, "tags": "x", "authors": ["a"], "summary": []}]}"#;
    let odd = parsed(odd);
    let mut found = texts(&odd);
    found.sort_unstable();
    assert_eq!(found, ["", "by its link", "odd fields", "unreadable id"]);
    // YouTube and podcasts publish feeds of the following forms.
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"><title>T</title><id>x</id>
        <entry><id>yt:1</id><title>Video</title><media:group><media:title>Video</media:title><media:content url="https://video.example/v/1" type="application/x-shockwave-flash"/>
        <media:description>What it shows</media:description></media:group></entry></feed>"#;
    assert_eq!(texts(&parsed(atom)), ["Video\n\nWhat it shows"]);
    let podcast = r#"<?xml version="1.0"?><rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>
        <title>P</title><item><title>Episode</title><guid>urn:1</guid><itunes:summary>What it is about</itunes:summary></item></channel></rss>"#;
    assert_eq!(texts(&parsed(podcast)), ["Episode\n\nWhat it is about"]);
}

#[test]
fn entry_is_identified_by_id_link_or_title() {
    let long = "x".repeat(300);
    let document = rss(&format!(
        "<item><title>one</title><guid>12</guid><link>https://blog.example/1</link></item>
         <item><title>two</title><link>https://blog.example/2</link></item>
         <item><title>three</title></item>
         <item><title>four</title><guid>urn:{long}</guid></item>"
    ));
    let ids: Vec<_> = parsed(&document).entries.into_iter().map(|entry| entry.found.post_id).collect();
    let within = label(&"https://blog.example/feed".parse().unwrap());
    assert!(within.starts_with("blog.example/") && !within.contains("feed"), "{within}");
    assert_eq!(ids.len(), 4);
    for id in ["rss:https://blog.example/2", &format!("rss:{within}#12"), &format!("rss:{within}#three")] {
        assert!(ids.contains(&id.to_owned()), "{id}: {ids:?}");
    }
    assert!(ids.iter().any(|id| id.len() == 68), "a hash replaces an identity that is too long: {ids:?}");
}

#[test]
fn feed_dates_in_common_formats_are_parsed() {
    for text in [
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "Sun, 01 Mar 2026 13:00:00 +0100",
        "01 Mar 2026 12:00:00 UTC",
        "Sun, 1 Mar 2026 07:00:00 EST",
        "Sunday, 01 March 2026 12:00:00 GMT",
        "Mon, 01 Mar 2026 12:00:00 Z",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.000+00:00",
        "2026-03-01T14:00:00+0200",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        "Sun, 01 Mar 2026 12:00:00",
        "Sun, 01 Mar 2026 12:00 GMT",
        "Sun, 1 Mar 26 4:00:00 PST",
        "March 1, 2026 12:00:00",
        "Sun Mar  1 12:00:00 2026",
        "So., 01 Mar 2026 13:00:00 +01:00",
    ] {
        let entry = parsed(&rss(&format!("<item><title>x</title><pubDate>{text}</pubDate></item>"))).entries.remove(0);
        assert_eq!(entry.found.created_at, "2026-03-01T12:00:00Z".parse().ok(), "{text}");
    }
    let nonsense = parsed(&rss("<item><title>x</title><pubDate>yesterday</pubDate></item>"));
    assert_eq!(nonsense.entries[0].found.created_at, None);
}

#[test]
fn malformed_documents_are_repaired() {
    let two = "<item><title>one</title><guid>a:1</guid></item><item><title>two</title><guid>a:2</guid></item>";
    for (name, document) in [
        ("cut off", rss(two).split("</channel>").next().unwrap().to_owned() + "<item><title>thr"),
        ("blank lines first", format!("\n\n  {}", rss(two))),
        ("control characters", rss(two).replace("two", "t\u{8}wo")),
        (
            "a bare ampersand",
            rss(two).replace("<guid>a:1</guid>", "<guid>a:1</guid><link>https://x.example/?a=1&b=2</link>"),
        ),
        ("an HTML entity", rss(two).replace("<guid>a:1</guid>", "<guid>a:1</guid><description>&nbsp;</description>")),
    ] {
        let mut found = parsed(&document).entries;
        found.sort_by(|a, b| a.found.post_id.cmp(&b.found.post_id));
        let found: Vec<_> = found.iter().map(|entry| entry.found.content.trim()).collect();
        assert_eq!(found, ["one", "two"], "{name}");
    }
    let text = rss("<item><title>R&D costs &euro;5 & more <![CDATA[& &lt;b&gt;so&lt;/b&gt; on]]></title></item>");
    assert_eq!(texts(&parsed(&text)), ["R&D costs €5 & more & <b>so</b> on"]);
    let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><rss version=\"2.0\"><channel><item><title>caf\xe9</title></item></channel></rss>";
    let feed: Url = "https://blog.example/feed".parse().unwrap();
    assert_eq!(texts(&parse(latin, &feed, &feed).unwrap()), ["café"]);
    for (document, expected) in
        [("", "not a feed"), ("<html><p>Not found</p></html>", "not a feed"), ("{}", "not a feed")]
    {
        let error = parse(document.as_bytes(), &feed, &feed).unwrap_err().to_string();
        assert!(error.contains(expected), "{document}: {error}");
    }
}

#[test]
fn items_without_id_link_and_title_have_different_keys() {
    let two = rss("<item><description>one</description></item><item><description>two</description></item>");
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{"content_text": "one"}, {"content_text": "two"}]}"#;
    for document in [two.as_str(), json] {
        let found = parsed(document).entries;
        let keys: BTreeSet<u64> = found.iter().map(|entry| entry.key).collect();
        assert_eq!((found.len(), keys.len()), (2, 2), "{document}");
        let again: BTreeSet<u64> = parsed(document).entries.iter().map(|entry| entry.key).collect();
        assert_eq!(again, keys, "the ids are the same at the next poll");
    }
    // Items that are not objects have no text, so they are counted as filtered.
    let odd = json.replace(r#"{"content_text": "one"}"#, "null, [1], \"text\"");
    let parsed = parsed(&odd);
    let texts = texts(&parsed);
    assert_eq!(texts.iter().filter(|text| text.is_empty()).count(), 3, "{texts:?}");
}

#[test]
fn hostile_documents_give_bounded_output() {
    let feed: Url = "https://blog.example/feed".parse().unwrap();
    let deep = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry><id>x</id><content type=\"xhtml\">{}",
        "<div>".repeat(200_000)
    );
    let entities: String =
        (1..20).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE x [<!ENTITY a0 \"ha\">{entities}]>{}", rss("<item><title>&a19;</title></item>"));
    let file =
        "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>".to_owned() + &rss("<item><title>&f;</title></item>");
    let author = rss("<item><title>x</title><author>Ünïcödé and more…ada@blog.example</author></item>");
    let nested = format!("{{\"version\": \"https://jsonfeed.org/version/1.1\", \"items\": {}", "[".repeat(200_000));
    for document in [deep, bomb, file, author, nested] {
        let texts =
            parse(document.as_bytes(), &feed, &feed).map(|parsed| format!("{:?}", parsed.entries)).unwrap_or_default();
        assert!(texts.len() < 1_000 && !texts.contains("root:"), "{texts}");
    }
    let many: String = (0..3_000).map(|n| format!("<item><title>t{n}</title></item>")).collect();
    assert_eq!(parsed(&rss(&many)).entries.len(), MAX_ENTRIES);
}

#[test]
fn long_feeds_keep_their_newest_entries_in_either_order() {
    let count = 25_000;
    // The entries are one minute apart.
    let at = |n: i64| Timestamp::from_unix(1_767_225_600 + n * 60).unwrap().to_string();
    let item = |n: i64| format!("<item><title>t{n}</title><pubDate>{}</pubDate></item>", at(n));
    let entry = |n: i64| format!("<entry><title>t{n}</title><updated>{}</updated></entry>", at(n));
    let object = |n: i64| format!(r#"{{"id": {n}, "content_text": "t{n}", "date_published": "{}"}}"#, at(n));
    let atom = |entries: String| format!(r#"<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>"#);
    let json = |items: Vec<String>| {
        format!(r#"{{"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": [{}]}}"#, items.join(","))
    };
    let documents = [
        rss(&(0..count).map(item).collect::<String>()),
        rss(&(0..count).rev().map(item).collect::<String>()),
        atom((0..count).map(entry).collect()),
        json((0..count).map(object).collect()),
        json((0..count).rev().map(object).collect()),
    ];
    for document in documents {
        let parsed = parsed(&document);
        assert_eq!(parsed.left_out, 5_000, "{}", &document[..80]);
        let texts = texts(&parsed);
        assert_eq!((texts.len(), texts[0], texts[MAX_ENTRIES - 1]), (MAX_ENTRIES, "t24000", "t24999"));
    }
}

#[test]
fn feeds_of_tiny_elements_are_refused_before_they_take_memory() {
    let feed: Url = "https://blog.example/feed".parse().unwrap();
    let categories = rss(&format!("<item><title>x</title>{}</item>", "<category/>".repeat(450_000)));
    let wide: Vec<u8> = categories.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let objects = r#"{"id":"1"},"#.repeat(300_000) + "{}";
    let json = format!(r#"{{"version": "https://jsonfeed.org/version/1", "title": "x", "items": [{objects}]}}"#);
    for document in [categories.as_bytes(), &wide, json.as_bytes()] {
        let refused = parse(document, &feed, &feed).map(|parsed| parsed.entries.len());
        assert!(matches!(refused, Err(FeedError::TooManyElements)), "{refused:?}");
    }
    // Empty items are removed too.
    assert_eq!(parsed(&rss(&"<item/>".repeat(100_000))).left_out, 80_000);
}

proptest! {
    #[test]
    fn any_bytes_become_a_feed_or_an_error(bytes: Vec<u8>, text in "\\PC{0,80}", at in 0_usize..400) {
        let feed: Url = "https://blog.example/feed".parse().unwrap();
        let _ = parse(&bytes, &feed, &feed);
        let item = format!("<item><title>{text}</title><author>{text}</author><pubDate>{text}</pubDate><guid>{text}</guid></item>");
        let mut document = rss(&item).into_bytes();
        let _ = parse(&document, &feed, &feed);
        let at = at.min(document.len());
        document.splice(at..at, bytes);
        let _ = parse(&document, &feed, &feed);
    }
}
