use proptest::prelude::*;

use super::query;

#[test]
fn query_error_names_the_position_and_the_expected_text() {
    for (text, position, part) in [
        ("", 1, "found the end"),
        ("acme OR", 8, "found the end"),
        ("acme OR OR phone", 9, "found OR"),
        ("(acme phone", 1, "not closed"),
        ("acme) phone", 5, "found )"),
        ("say \"acme", 5, "not closed"),
        ("acme \"!?\"", 6, "raw:"),
        ("-giveaway", 1, "only exclusions"),
        ("a*", 1, "at least 2"),
        ("acme lang:", 6, "value directly after lang:"),
        ("acme colour:red", 6, "unknown field colour:"),
        ("acme lang:e_n", 6, "language tag"),
        ("acme & phone", 6, "found &"),
        ("acme C++", 7, "write raw:\"C++\""),
        ("acme NEAR/500 broken", 6, "up to 100"),
        ("acme NEAR/5 (broken -slow)", 13, "beside NEAR"),
        ("acme emotion:rage", 6, "emotion: must be one of anger, disgust"),
        ("acme sentiment:", 6, "value directly after sentiment:"),
        ("日本 AND", 7, "found the end"),
    ] {
        let error = query(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error:?}");
        assert!(error.message.contains(part), "{text}: {error:?}");
    }
    assert!(query(&"(".repeat(100)).unwrap_err().message.contains("deep"));
    assert!(query(&"ab ".repeat(300)).unwrap_err().message.contains("at most 200"));
}

#[test]
fn likely_mistakes_in_a_query_cause_warnings() {
    let warnings = |text: &str| query(text).unwrap().warnings.iter().map(|one| one.position).collect::<Vec<_>>();
    assert_eq!(warnings("acme or apex"), [6]);
    assert_eq!(warnings("acme, near/5 broken and"), [1, 7, 21]);
    assert_eq!(warnings("acme OR \"this or that\""), [0_usize; 0]);
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_an_error_with_a_valid_position(text in "[a-c\"()#@*?~{}:\\- ORANDTE/5日é]{0,40}") {
        if let Err(error) = query(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position));
        }
    }
}
