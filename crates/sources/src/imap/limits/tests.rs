use super::*;

fn scanned(bytes: &[u8]) -> Result<(), Excess> {
    // The limits apply regardless of how the data is split into packets.
    let mut in_steps = Scan::default();
    let stepwise = bytes.chunks(7).try_for_each(|chunk| in_steps.take(chunk));
    assert_eq!(Scan::default().take(bytes), stepwise);
    stepwise
}

#[test]
fn usual_responses_are_accepted() {
    let mail = format!("* 1 FETCH (UID 7 BODY[]<0> {{{}}}\r\n{})\r\n", 2_000, "({9999999999}\r\n(".repeat(125));
    assert_eq!(scanned(format!("* OK [ALERT] ((((({{12}}.\r\n{mail}A1 OK done\r\n").as_bytes()), Ok(()));
}

#[test]
fn large_literal_is_refused_before_it_arrives() {
    assert_eq!(scanned(b"* 1 FETCH (BODY[] {4294967296}\r\n"), Err(Excess::Literal(4_294_967_296)));
    assert_eq!(scanned(b"* 1 FETCH (BODY[] {400000000}\r\n"), Err(Excess::Literal(400_000_000)));
}

#[test]
fn literals_of_fetch_and_list_are_skipped() {
    for line in [
        "* 1 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12) BODY[]<0> {4}\r\n((((",
        "* 4294967295 fetch (BODY[HEADER.FIELDS (TO)] {4}\r\n\r\n{9 BODY[TEXT] {4}\r\n))))",
        "* 1 FETCH (BODY[] {0}\r\n",
    ] {
        assert_eq!(scanned(format!("{line} UID 7) \r\nA1 OK done\r\n").as_bytes()), Ok(()), "{line}");
    }
    let braces = "* 1 FETCH (UID 7 INTERNALDATE \"({12}\" BODY[] \"{5}\")\r\n";
    assert_eq!(scanned(braces.as_bytes()), Ok(()));
    assert_eq!(scanned(b"* LIST (\\Marked) \"/\" {5}\r\n\r\n(\"{\r\nA1 OK listed\r\n"), Ok(()));
}

#[test]
fn unexpected_literals_and_line_breaks_are_refused() {
    let tag = "a".repeat(40);
    for line in [
        "* OK hello {131072}\r\n",
        "* ok [BADCHARSET ({131072}\r\n",
        "+x {131072}\r\n",
        "+ {131072}\r\n",
        "+{131072}\r\n",
        &format!("{tag} OK x {{131072}}\r\n"),
        &format!("{tag} {{131072}}\r\n"),
        "A1 OK\r\n* SEARCH {131072}\r\n",
        "* STATUS {131072}\r\n",
        "* 1 FETCH {131072}\r\n",
        "* 1 FETCH (X ({131072}\r\n",
        "* 1 FETCH (X (a {131072}\r\n",
        "* 1 FETCH (X a{131072}\r\n",
        "* 1 FETCH (X ~{131072}\r\n",
        "* 1 FETCH (X {131072+}\r\n",
        "* 1 FETCH (X {}\r\n",
        "* 1 FETCH (X (\r\n",
        "* 1 FETCH (X a\r\n",
        "* 1 FETCH (X a\n",
        "* 0000000000000000000000000000000001 FETCH (X (\r\n",
        "* 1 FETCH (Y \")\" X ( {131072}\r\n",
        "* 1 FETCH (BODY[] {2}\r\nab X a{131072}\r\n",
    ] {
        for attack in [format!("* 1 FETCH (BODYSTRUCTURE {}", "(".repeat(25)), large_fetch()] {
            assert_eq!(scanned(format!("{line}{attack}").as_bytes()), Err(Excess::Structure), "{line}");
        }
    }
}

#[test]
fn limits_apply_to_data_after_a_text_response() {
    let tag = "a".repeat(40);
    for text in ["+x {131072}.\r\n", "* OK {131072+}\r\n", "* OK {}\r\n", &format!("{tag} OK x {{131072 }}\r\n")] {
        let nested = format!("{text}* 1 FETCH (BODYSTRUCTURE {}", "(".repeat(25));
        assert_eq!(scanned(nested.as_bytes()), Err(Excess::Lists), "{text}");
        let large = format!("{text}{}", large_fetch());
        assert_eq!(scanned(large.as_bytes()), Err(Excess::Literal(500_000_000)), "{text}");
    }
}

#[test]
fn search_line_may_be_longer_than_other_lines() {
    let line = |hits: usize| format!("* SEARCH{}\r\n", " 4294967295".repeat(hits));
    assert_eq!(scanned(format!("{}A1 OK searched\r\n", line(190_000)).as_bytes()), Ok(()));
    assert_eq!(scanned(line(MAX_SEARCH / 11).as_bytes()), Err(Excess::Search));
    assert_eq!(scanned(line(190_000).repeat(9).as_bytes()), Err(Excess::Command));
    assert_eq!(scanned(format!("{}{}", line(1), "a".repeat(MAX_RESPONSE + 1)).as_bytes()), Err(Excess::Response));
}

fn large_fetch() -> String {
    "* 1 FETCH (UID 1 BODY[] {500000000}\r\n".to_owned()
}

#[test]
fn endless_and_nested_responses_are_refused() {
    assert_eq!(scanned(&[b'a'; MAX_RESPONSE + 1]), Err(Excess::Response));
    assert_eq!(scanned("* 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((".as_bytes()), Err(Excess::Lists));
    assert_eq!(scanned(&b"* 1 EXISTS\r\n".repeat(MAX_COMMAND / 12 + 1)), Err(Excess::Command));
}
