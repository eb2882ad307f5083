use std::io::Write;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use sentistream_core::domain::Timestamp;

/// A reader that returns a few bytes at a time, like a slow pipe.
struct Trickle(io::Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn clock() -> Clock {
    Clock::fixed(Timestamp::from_unix(1_767_225_600).unwrap())
}

fn options(renames: &[&str]) -> ReadOptions {
    let mut map = FieldMap::default();
    for rename in renames {
        map.add(rename).unwrap();
    }
    ReadOptions { map, ..ReadOptions::default() }
}

/// Reads all of `bytes` in chunks of `max` records. The input delivers `step` bytes at a time.
fn read(bytes: &[u8], step: usize, max: usize, options: &ReadOptions) -> Result<Chunk, ReadError> {
    let input = Trickle(io::Cursor::new(bytes.to_vec()), step);
    let mut reader = PostReader::new(Box::new(input), options)?;
    let mut all = Chunk::default();
    while !all.finished {
        let chunk = reader.chunk(max, &clock())?;
        assert!(chunk.posts.len() + chunk.rejected.len() <= max);
        all.posts.extend(chunk.posts);
        all.rejected.extend(chunk.rejected);
        for (field, count) in chunk.dropped {
            *all.dropped.entry(field).or_default() += count;
        }
        (all.position, all.finished) = (chunk.position, chunk.finished);
    }
    Ok(all)
}

fn contents(chunk: &Chunk) -> Vec<&str> {
    chunk.posts.iter().map(|(post, _)| post.content.as_str()).collect()
}

fn ndjson(contents: &[String]) -> Vec<u8> {
    let line =
        |(n, content): (usize, &String)| format!("{}\n", json!({"post_id": n, "source": "x", "content": content}));
    contents.iter().enumerate().map(line).collect::<String>().into_bytes()
}

fn csv(contents: &[String], line_end: &str) -> Vec<u8> {
    let line = |(n, content): (usize, &String)| format!("{n},\"{}\",x{line_end}", content.replace('"', "\"\""));
    let lines: String = contents.iter().enumerate().map(line).collect();
    format!("\u{feff}post_id,content,source{line_end}{lines}").into_bytes()
}

/// Texts of posts, including characters that need quoting.
fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z\",é😀\r\n ]{0,40}x", 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn posts_are_read_from_chunks_of_any_size(texts in texts(), step in 1usize..90, max in 1usize..50) {
        for bytes in [ndjson(&texts), csv(&texts, "\n"), csv(&texts, "\r\n")] {
            let all = read(&bytes, step, max, &options(&[])).unwrap();
            prop_assert!(all.rejected.is_empty());
            prop_assert_eq!(contents(&all), &texts[..]);
        }
    }

    #[test]
    fn reading_resumes_after_any_post(texts in texts(), at in any::<prop::sample::Index>()) {
        for bytes in [ndjson(&texts), csv(&texts, "\r\n")] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let all = read(&bytes, 1_000, 100, &options(&[])).unwrap();
            let n = at.index(texts.len());
            let mut rest = PostReader::resume(file, all.posts[n].1, &options(&[])).unwrap();
            let rest = rest.chunk(100, &clock()).unwrap();
            prop_assert_eq!(contents(&rest), &texts[n + 1..]);
            prop_assert_eq!(rest.position, all.position);
        }
    }

    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..600), csv: bool) {
        let header: &[u8] = if csv { b"post_id,source,content\n" } else { b"{}\n" };
        let bytes = [header, &bytes].concat();
        let all = read(&bytes, 7, 10, &options(&[])).unwrap();
        prop_assert_eq!(all.position.offset as usize, bytes.len());
    }
}

#[test]
fn invalid_line_is_reported_with_its_number() {
    let mut bytes = b"{\"post_id\": \"1\", \"source\": \"x\", \"content\": \"first\"}\n\n{broken\n[1]\n".to_vec();
    bytes.extend_from_slice(b"{\"post_id\": \"2\", \"source\": \"x\", \"content\": \"\xff\"}\n");
    bytes.extend_from_slice(b"{\"post_id\": \"3\", \"source\": \"no good\", \"content\": \" \"}\r\n");
    bytes.extend_from_slice(b"{\"post_id\": \"4\", \"source\": \"x\", \"content\": \"last\"}");
    let all = read(&bytes, 30, 100, &options(&[])).unwrap();
    assert_eq!(contents(&all), ["first", "last"]);
    let lines: Vec<_> = all.rejected.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 4, 5, 6]);
    let reasons: Vec<_> = all.rejected.iter().map(|error| error.reason.to_string()).collect();
    assert!(reasons[0].starts_with("is not valid JSON"), "{reasons:?}");
    assert!(reasons[1].contains("not a JSON object"), "{reasons:?}");
    let reason = &reasons[3];
    assert!(reason.contains("source: must be") && reason.contains("content: must not be blank"), "{reason}");
}

#[test]
fn overlong_line_is_skipped() {
    let long = format!("{{\"content\": \"{}\"}}", "a".repeat(3 * MAX_RECORD_BYTES));
    let good = r#"{"post_id": "1", "source": "x", "content": "good"}"#;
    let all = read(format!("{good}\n{long}\n{good}\n").as_bytes(), 1 << 16, 100, &options(&[])).unwrap();
    assert_eq!(contents(&all), ["good", "good"]);
    assert_eq!((all.rejected.len(), all.rejected[0].line), (1, 2));
    assert_eq!(all.position.line, 3);
}

#[test]
fn unclosed_quote_rejects_one_line() {
    let good: String = (0..20_000).map(|n| format!("{n},x,good number {n}\n")).collect();
    let with_break = "a,x,\"two\nlines\"\n";
    let bytes = format!("post_id,source,content\n1,x,\"open\n{with_break}{good}");
    // The record ends at the first `"` of the next field, so the rest of that line is lost too.
    let all = read(bytes.as_bytes(), 4_096, 500, &options(&[])).unwrap();
    assert!(all.posts.len() >= 20_000, "{}", all.posts.len());
    let all =
        read(format!("post_id,source,content\n1,x,\"open\n{good}").as_bytes(), 4_096, 500, &options(&[])).unwrap();
    assert_eq!(all.posts.len(), 20_000);
    assert_eq!(all.rejected.len(), 1);
    assert_eq!(all.rejected[0].line, 2);
}

#[test]
fn csv_rows_need_all_columns_and_valid_text() {
    let mut bytes = b"post_id,source,content,created_at\n1,x,\"a, b\",2026-01-01T00:00:00Z\n2,x\n".to_vec();
    bytes.extend_from_slice(b"3,x,\xff\xfe,\n4,x,ok,\n5,x,late,tomorrow\n");
    let all = read(&bytes, 10, 100, &options(&[])).unwrap();
    // An invalid optional field does not reject the post.
    assert_eq!(contents(&all), ["a, b", "ok", "late"]);
    assert_eq!((all.posts[1].0.created_at, all.posts[2].0.created_at), (clock().now(), clock().now()));
    assert_eq!(all.dropped, BTreeMap::from([("created_at", 1)]));
    let errors: Vec<_> = all.rejected.iter().map(ToString::to_string).collect();
    assert_eq!(errors[0], "line 3: has 2 columns, the header has 4");
    assert!(errors[1].starts_with("line 4: column 3 is not valid UTF-8"), "{errors:?}");
    assert_eq!(errors.len(), 2);
}

#[test]
fn mapped_fields_and_numeric_ids_are_read() {
    let renames = options(&["content=body", "post_id=id", "created_at=utc"]);
    let json = br#"{"id": 17, "body": "hello", "source": "x", "utc": 1767225600, "content": "not this"}"#;
    for bytes in [&json[..], b"ID,Body,source,utc\n17,hello,x,1767225600\n"] {
        let all = read(bytes, 10, 10, &renames).unwrap();
        assert!(all.rejected.is_empty(), "{:?}", all.rejected);
        let post = &all.posts[0].0;
        let fields = (post.post_id.as_str(), post.content.as_str(), post.created_at.as_seconds());
        assert_eq!(fields, ("17", "hello", 1_767_225_600));
    }
    for wrong in ["body", "body=", "text=body"] {
        assert!(FieldMap::default().add(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn header_without_a_needed_column_is_an_error() {
    let error = read(b"id,source,text\n1,x,hi\n", 10, 10, &options(&["post_id=id"])).unwrap_err().to_string();
    assert!(error.contains("no column \"content\"") && error.contains("id, source, text"), "{error}");
    let error = read(b"post_id,source,content\n", 10, 10, &options(&["author=by"])).unwrap_err().to_string();
    assert!(error.contains("no column \"by\" for author"), "{error}");
}

#[test]
fn pipe_returns_complete_records_without_waiting() {
    let (mut writer, reader) = {
        let (reader, writer) = io::pipe().unwrap();
        (writer, reader)
    };
    writer.write_all(&ndjson(&["one".to_owned(), "two".to_owned()])).unwrap();
    let mut posts = PostReader::new(Box::new(reader), &options(&[])).unwrap();
    let chunk = posts.chunk(1_000, &clock()).unwrap();
    assert_eq!(contents(&chunk), ["one", "two"]);
    assert!(!chunk.finished);
    drop(writer);
    assert!(posts.chunk(1_000, &clock()).unwrap().finished);
}

const TWO: &str = r#"{"post_id": "1", "source": "x", "content": "Größe"}"#;

#[test]
fn compressed_and_encoded_files_are_recognised() {
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let text = format!("{TWO}\n{}\n", TWO.replace("\"1\"", "\"2\""));
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let utf16 = |big: bool, mark: bool| -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let (first, second) = text.split_at(text.len() / 2);
    for (name, bytes) in [
        ("gzip", gzip(text.as_bytes())),
        ("gzip in parts", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat()),
        ("zstd", zstd(text.as_bytes())),
        ("zstd in frames", [zstd(first.as_bytes()), zstd(second.as_bytes())].concat()),
        ("UTF-16 LE", utf16(false, true)),
        ("UTF-16 BE", utf16(true, true)),
        ("UTF-16 without a mark", utf16(false, false)),
        ("UTF-16 in gzip", gzip(&utf16(true, true))),
    ] {
        for step in [4_096, 64] {
            let all = read(&bytes, step, 10, &options(&[])).unwrap();
            assert_eq!(contents(&all), ["Größe", "Größe"], "{name}: {:?}", all.rejected);
        }
    }
    let latin = b"post_id;source;content\n1;x;Gr\xf6\xdfe\n";
    let named = ReadOptions { encoding: Encoding::for_label(b"windows-1252"), ..ReadOptions::default() };
    assert_eq!(contents(&read(latin, 9, 10, &named).unwrap()), ["Größe"]);
}

#[test]
fn separators_and_json_arrays_are_recognised() {
    for text in [
        "post_id;source;content\n1;x;one, two\n",
        "post_id\tsource\tcontent\n1\tx\tone, two\n",
        "sep=;\r\npost_id;source;content\r\n1;x;one, two\r\n",
        "post_id|source|content\n1|x|one, two\n",
        r#"[{"post_id": "1", "source": "x", "content": "one, two"}]"#,
        "[\n  {\n    \"post_id\": 1,\n    \"source\": \"x\",\n    \"content\": \"one, two\"\n  }\n]\n",
    ] {
        for step in [1, 7, 4_096] {
            let all = read(text.as_bytes(), step, 10, &options(&[])).unwrap();
            assert_eq!(contents(&all), ["one, two"], "{text}: {:?}", all.rejected);
        }
    }
    let array = format!("[{TWO}, 5, {{\"a\": [1, {{}}]}}, \n{TWO}]");
    let all = read(array.as_bytes(), 5, 10, &options(&[])).unwrap();
    assert_eq!((all.posts.len(), all.rejected.len()), (2, 2), "{:?}", all.rejected);
}

#[test]
fn constants_replace_missing_columns() {
    let mut wanted = options(&["content=answer"]);
    wanted.constants.add("source=Web").unwrap();
    wanted.day_order = Some(DayOrder::DayFirst);
    let bytes = b"post_id,answer,created_at,author\n1,fine,01/02/2025,\n2,good,,ada\n";
    let all = read(bytes, 10, 10, &wanted).unwrap();
    let posts: Vec<_> = all.posts.iter().map(|(post, _)| (post.source.as_str(), post.created_at)).collect();
    assert_eq!(posts, [("web", "2025-02-01T00:00:00Z".parse().unwrap()), ("web", clock().now())]);
    assert!(all.dropped.is_empty());
}

#[test]
fn json_array_reports_every_unreadable_record() {
    let long = format!("{{\"content\": \"{}]\"}}", "a".repeat(2 * MAX_RECORD_BYTES));
    let deep = "[".repeat(100_000);
    for (text, posts, rejected) in [
        // The text after the array is parsed too.
        (format!("[{TWO}]\n[{TWO}]{TWO}"), 3, 0),
        (format!("[{TWO}, {long}, {TWO}]"), 2, 1),
        (format!("[{TWO},"), 1, 1),
        (format!("[{TWO}, {{\"post_id\": "), 1, 1),
        (deep.clone(), 0, 1),
        (format!("[{deep}{}, {TWO}]", "]".repeat(100_000)), 1, 1),
        (format!("[{TWO}, ]], {TWO}"), 2, 1),
        ("[]".to_owned(), 0, 0),
    ] {
        let all = read(text.as_bytes(), 1 << 16, 10, &options(&[])).unwrap();
        let shown: String = text.chars().take(80).collect();
        assert_eq!((all.posts.len(), all.rejected.len()), (posts, rejected), "{shown}: {:?}", all.rejected);
        assert_eq!(all.position.offset as usize, text.len(), "{shown}");
    }
}

#[test]
fn formatted_objects_are_read_one_by_one() {
    let text = "{\n  \"post_id\": 1,\n  \"source\": \"x\",\n  \"content\": \"one\"\n}\n";
    let all = read(format!("{text}{text}").as_bytes(), 5, 10, &options(&[])).unwrap();
    assert_eq!(contents(&all), ["one", "one"], "{:?}", all.rejected);
}

#[test]
fn ambiguous_or_binary_header_is_an_error_with_advice() {
    let twice = read(b"post_id,source,content,Content\n1,x,a,b\n", 99, 10, &options(&[])).unwrap_err().to_string();
    assert!(twice.contains("2 columns \"content\""), "{twice}");
    let zeros = read(&[0; 100_000], 99, 10, &options(&[])).unwrap_err().to_string();
    assert!(zeros.len() < 1_000 && !zeros.contains('\0'), "{zeros}");
    for (head, kind) in [(&b"BZh91AY"[..], "bzip2"), (b"PAR1....", "Parquet"), (b"PK\x03\x04....", "archive")] {
        let error = read(head, 99, 10, &options(&[])).unwrap_err().to_string();
        assert!(error.contains(kind), "{error}");
    }
}

#[test]
fn damaged_compression_is_reported_after_the_records() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let text = format!("{TWO}\n").repeat(20_000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let (gzip, zstd) = (encoder.finish().unwrap(), compress_to_vec(text.as_bytes(), CompressionLevel::Fastest));
    for (kind, bytes) in [("gzip", gzip), ("zstd", zstd)] {
        let error = read(&bytes[..bytes.len() - 20], 4_096, 500, &options(&[])).unwrap_err().to_string();
        assert!(error.ends_with(&format!("the {kind} data is damaged or incomplete")), "{error}");
    }
}
