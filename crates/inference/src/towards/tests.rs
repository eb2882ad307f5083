use proptest::prelude::*;

use super::*;

fn place(text: &str, mention: &str) -> Range<usize> {
    let start = text.find(mention).unwrap();
    start..start + mention.len()
}

fn target_of(text: &str, mentions: &[Range<usize>]) -> Option<Target> {
    Target::of(&Sentences::of(text), mentions)
}

#[test]
fn clauses_end_at_contrasts_conjunctions_and_punctuation() {
    for (text, mention, wide, narrow) in [
        (
            "I love the Acme phone, but the Apex phone is terrible.",
            "Acme",
            "I love the Acme phone",
            "I love the Acme phone",
        ),
        (
            "I love the Acme phone, but the Apex phone is terrible.",
            "Apex",
            "but the Apex phone is terrible.",
            "but the Apex phone is terrible.",
        ),
        (
            "Service was slow and the Acme pizza arrived cold",
            "Acme",
            "Service was slow and the Acme pizza arrived cold",
            "and the Acme pizza arrived cold",
        ),
        ("Bad day. Acme saved it. Bye!", "Acme", "Acme saved it.", "Acme saved it."),
        ("So-so camera -- great Acme screen, really", "Acme", "great Acme screen, really", "great Acme screen, really"),
        (
            "Sen. Ada A. Acme spoke to “Mr. Apex” first. Bye.",
            "Acme",
            "Sen. Ada A. Acme spoke to “Mr. Apex” first.",
            "Sen. Ada A. Acme spoke to “Mr. Apex” first.",
        ),
        ("Ja, but Acme", "Acme", "Ja, but Acme", "Ja, but Acme"),
    ] {
        let (sentences, mention) = (Sentences::of(text), place(text, mention));
        assert_eq!(&text[sentences.clause(&mention, Width::Wide)], wide, "{text:?}");
        assert_eq!(&text[sentences.clause(&mention, Width::Narrow)], narrow, "{text:?}");
    }
}

#[test]
fn text_of_one_clause_needs_no_parts() {
    for text in ["Acme is great", "I really love my new Acme phone today!", " Acme "] {
        assert_eq!(target_of(text, &[place(text, "Acme")]), None, "{text:?}");
    }
    assert_eq!(target_of("Acme is great, but Apex is not good", &[]), None, "the target is not mentioned");
}

#[test]
fn hashtags_after_the_text_are_about_the_whole_text() {
    for (text, mention) in [
        ("All flights are off and nobody helps. I feel sick. #Acme", "#Acme"),
        ("Crying! All flights are off, and nobody helps. 😭 #Travel @Acme https://news.example/a", "@Acme"),
        ("Great crew, loved it. Boarding at gate 5. #travel #acme!", "#acme"),
        ("The crew was kind, the food was not. (#acme)", "#acme"),
        ("Boarding at gate 5, again. \"Never fly.\" #acme\n#BTS방탄소년단 #travel#flight", "#acme"),
        ("Boarding at gate 5, again! #BTS방탄소년단 #Travel#Acme", "#Acme"),
        ("服务很好，但是航班取消了。 #東京", "#東京"),
    ] {
        assert_eq!(target_of(text, &[place(text, mention)]), None, "{text:?}");
    }
    let text = "Acme lost my bag, but the crew was kind. Never again. #Acme";
    let in_text = target_of(text, &[place(text, "Acme")]).unwrap();
    assert_eq!(target_of(text, &[place(text, "Acme"), place(text, "#Acme")]), Some(in_text), "the tag adds no part");
    for text in [
        "The crew was kind. @Acme lost my bag, though.",
        "The crew was kind, but nobody helps #Acme",
        "Apex很好。@Acme服务太差了",
        "Apex很好。#Acme#服务太差了。",
    ] {
        assert!(target_of(text, &[place(text, "Acme")]).is_some(), "a name with words is in a sentence: {text}");
    }
    let text = "Thanks Acme. :( #fail";
    assert_eq!(target_of(text, &[place(text, "Acme")]), None, "tags after the text do not divide it");
    let text = "#Acme\nThey lost my bag, but the Apex crew was kind.";
    let target = target_of(text, &[place(text, "#Acme")]).unwrap();
    assert_eq!(target.parts().map(|part| &text[part]).next(), Some("They lost my bag"), "{target:?}");
}

#[test]
fn pronoun_in_the_next_sentence_counts_as_a_mention() {
    let text = "I bought an Acme phone yesterday. It broke after one hour. Bye.";
    let pronoun = Sentences::of(text).pronoun_after(&place(text, "Acme")).unwrap();
    assert_eq!(&text[pronoun], "It");
    let target = target_of(text, &[place(text, "Acme")]).unwrap();
    assert!(target.parts().any(|part| &text[part.clone()] == "It broke after one hour."), "{target:?}");
    assert_eq!(Sentences::of("Acme is good. Apex too.").pronoun_after(&(0..4)), None);
}

#[test]
fn nearby_words_are_at_most_five_on_each_side() {
    let text = "One two three. Four five six seven eight nine Acme ten eleven twelve more and more and more.";
    assert_eq!(
        &text[Sentences::of(text).nearby(&place(text, "Acme"))],
        "five six seven eight nine Acme ten eleven twelve more and"
    );
}

#[test]
fn opposite_clauses_give_opposite_sentiments() {
    let text = "I love the Acme phone, but the Apex phone is terrible.";
    let whole = Scores { sentiment: [0.3, 0.5, 0.2], emotion: [0.0; 7] };
    let scores = |part: &Range<usize>| {
        Some(if text[part.clone()].contains("terrible") { [0.9, 0.08, 0.02] } else { [0.02, 0.08, 0.9] })
    };
    let of = |name: &str| target_of(text, &[place(text, name)]).unwrap().opinion(&whole, scores);
    let (acme, apex) = (of("Acme"), of("Apex"));
    assert_eq!((acme.sentiment, apex.sentiment), (Sentiment::Positive, Sentiment::Negative));
    assert_eq!(&text[acme.clause], "I love the Acme phone");
    assert_eq!(&text[apex.clause], "but the Apex phone is terrible.");
    assert!(acme.confidence > 0.6 && acme.confidence <= 1.0);
}

proptest! {
    #[test]
    fn parts_about_a_target_are_valid_ranges_of_any_text(text in "(acme|but|and|, |\\. |; | - |\\.\\.|…|é|日本|👍🏽|\n| |it|\u{301}|\\(|x){0,30}", at in 0usize..200, length in 0usize..12) {
        let bound = |at: usize| (at.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let start = bound(at);
        let mention = start..bound(start + length);
        if let Some(target) = target_of(&text, std::slice::from_ref(&mention)) {
            for part in target.parts() {
                prop_assert!(!text[part].is_empty());
            }
            let opinion = target.opinion(&Scores { sentiment: [0.3, 0.3, 0.4], emotion: [0.0; 7] }, |_| None);
            prop_assert!(opinion.confidence.is_finite() && text.get(opinion.clause).is_some());
        }
    }
}
