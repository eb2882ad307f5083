//! The cases of the behavioural checks: templates, and the words that are inserted into them.

use super::{Case, Expect};
use sentistream_core::domain::Sentiment::{self, Negative, Neutral, Positive};

/// The number of cases per capability.
pub const PER_CAPABILITY: usize = 30;

const THINGS: [&str; 6] = ["phone", "app", "restaurant", "headset", "update", "service"];
const PRAISE: [&str; 5] = ["great", "wonderful", "excellent", "fantastic", "brilliant"];
const BLAME: [&str; 5] = ["terrible", "awful", "horrible", "dreadful", "useless"];

/// Texts with their sentiment, for tests that change other properties of a text.
const OPINIONS: [(&str, Sentiment); 6] = [
    ("I love the new camera, it is so sharp", Positive),
    ("The support team solved my problem in five minutes, thank you", Positive),
    ("The battery dies after two hours, this is unacceptable", Negative),
    ("I waited three weeks and the parcel arrived broken", Negative),
    ("The meeting was moved from Monday to Tuesday", Neutral),
    ("The store opens at nine and closes at six", Neutral),
];

/// All cases, grouped by capability.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(products("praise", &["The {thing} is {word}."], (&THINGS, &PRAISE), Expect::Label(Positive)));
    cases.extend(products("complaint", &["The {thing} is {word}."], (&THINGS, &BLAME), Expect::Label(Negative)));
    cases.extend(facts());
    cases.extend(products(
        "negated praise",
        &["The {thing} is not {word}."],
        (&THINGS, &PRAISE),
        Expect::Label(Negative),
    ));
    cases.extend(products(
        "negated complaint",
        &["The {thing} is not {word} at all."],
        (&THINGS, &BLAME),
        Expect::Not(Negative),
    ));
    cases.extend(intensified());
    cases.extend(variants("shouting", &SHOUTS));
    cases.extend(variants("typing errors", &TYPOS));
    cases.extend(variants("added links and mentions", &ATTACHMENTS));
    cases.extend(variants("punctuation and spacing", &MARKS));
    cases.extend(names());
    cases.extend(places());
    cases.extend(emoji());
    cases.extend(contrast());
    cases.extend(change_over_time());
    cases.extend(questions());
    cases.extend(reported_opinions());
    cases.extend(comparisons());
    cases.extend(sarcasm());
    cases.extend(headlines());
    cases
}

fn case(capability: &'static str, text: String, expect: Expect) -> Case {
    Case { capability, texts: vec![text], expect }
}

fn pair(capability: &'static str, (first, second): (String, String), expect: Expect) -> Case {
    Case { capability, texts: vec![first, second], expect }
}

/// The cases of every combination of template, thing and word.
fn products(
    capability: &'static str,
    templates: &[&str],
    (things, words): (&[&str], &[&str]),
    expect: Expect,
) -> Vec<Case> {
    let mut cases = Vec::new();
    for template in templates {
        for thing in things {
            for word in words {
                let text = template.replace("{thing}", thing).replace("{word}", word);
                cases.push(case(capability, text, expect));
            }
        }
    }
    cases
}

fn facts() -> Vec<Case> {
    const FACTS: [&str; 5] = [
        "The {thing} was presented on Tuesday.",
        "The {thing} is available in three colours.",
        "Page four of the manual describes the {thing}.",
        "They talked about the {thing} for an hour.",
        "The {thing} has the same name as last year.",
    ];
    products("facts", &FACTS, (&THINGS, &[""]), Expect::Label(Neutral))
}

/// Cases in which a word is intensified. This must not reduce the score of the sentiment.
fn intensified() -> Vec<Case> {
    const STRONGER: [&str; 3] = ["really", "absolutely", "extremely"];
    let mut cases = Vec::new();
    for thing in &THINGS[..5] {
        for stronger in STRONGER {
            for (word, label) in [("good", Positive), ("bad", Negative)] {
                let texts = (format!("The {thing} is {word}."), format!("The {thing} is {stronger} {word}."));
                cases.push(pair("intensifiers", texts, Expect::More(label)));
            }
        }
    }
    cases
}

/// Changes the form of a text and keeps its meaning.
type Variant = fn(&str) -> String;

const SHOUTS: [Variant; 5] = [
    |text| text.to_uppercase(),
    |text| format!("OMG {}", text.to_uppercase()),
    |text| format!("{}!!!", text.to_uppercase()),
    |text| format!("WOW. {}", text.to_uppercase()),
    |text| format!("{} SERIOUSLY", text.to_uppercase()),
];
const TYPOS: [Variant; 5] = [
    |text| swapped(text, 1),
    |text| swapped(text, 2),
    |text| text.replacen("the ", "teh ", 1).replacen("The ", "Teh ", 1),
    |text| text.replacen("ee", "e", 1).replacen("ou", "u", 1) + " ",
    |text| text.to_lowercase().replace(',', ""),
];
const ATTACHMENTS: [Variant; 5] = [
    |text| format!("{text} https://example.com/a1"),
    |text| format!("@acme {text}"),
    |text| format!("{text} #acme"),
    |text| format!("@acme @shop {text} https://example.com/x"),
    |text| format!("RT @news: {text}"),
];
const MARKS: [Variant; 5] = [
    |text| format!("{text}."),
    |text| format!("{text}!"),
    |text| format!("{text}..."),
    |text| format!("\"{text}\""),
    |text| text.replace(' ', "  "),
];

/// The cases of every variant of every opinion. The label must not change.
fn variants(capability: &'static str, variants: &[Variant; 5]) -> Vec<Case> {
    let of =
        |variant: Variant| OPINIONS.map(|(text, _)| pair(capability, (text.to_owned(), variant(text)), Expect::Same));
    variants.iter().flat_map(|variant| of(*variant)).collect()
}

/// Swaps two different letters in a long word of `text`. `place` is the place of the word among the long words, counted
/// from 1.
fn swapped(text: &str, place: usize) -> String {
    let mut long = 0;
    let word = |word: &str| {
        if word.len() > 4 && word.is_ascii() {
            long += 1;
            if long == place {
                let mut letters: Vec<char> = word.chars().collect();
                let different = (1..letters.len() - 1).find(|at| letters[*at] != letters[at + 1]).unwrap_or(1);
                letters.swap(different, different + 1);
                return letters.into_iter().collect();
            }
        }
        word.to_owned()
    };
    text.split(' ').map(word).collect::<Vec<String>>().join(" ")
}

fn names() -> Vec<Case> {
    const TEMPLATES: [&str; 6] = [
        "{name} was so friendly at the counter, thank you",
        "{name} promised to call back and never did",
        "{name} works in the office on Mondays",
        "I had a wonderful evening with {name}",
        "{name} ruined the whole trip for us",
        "{name} and I will meet at six",
    ];
    const PAIRS: [(&str, &str); 5] =
        [("Anna", "Mohammed"), ("John", "Priya"), ("Maria", "Wei"), ("James", "Lakisha"), ("Emily", "Darius")];
    replaced("names of people", "{name}", &TEMPLATES, &PAIRS)
}

fn places() -> Vec<Case> {
    const TEMPLATES: [&str; 6] = [
        "The hotel in {place} was lovely and clean",
        "The train to {place} was late again, what a mess",
        "The conference takes place in {place}",
        "Best food I ever had, right here in {place}",
        "Never again a flight from {place} with them",
        "The office moved to {place} in spring",
    ];
    const PAIRS: [(&str, &str); 5] =
        [("Berlin", "Lagos"), ("Paris", "Mumbai"), ("Toronto", "Kabul"), ("Oslo", "Bogota"), ("Tokyo", "Detroit")];
    replaced("names of places", "{place}", &TEMPLATES, &PAIRS)
}

fn replaced(capability: &'static str, hole: &str, templates: &[&str; 6], pairs: &[(&str, &str); 5]) -> Vec<Case> {
    let mut cases = Vec::new();
    for template in templates {
        for (one, other) in pairs {
            let texts = (template.replace(hole, one), template.replace(hole, other));
            cases.push(pair(capability, texts, Expect::Same));
        }
    }
    cases
}

/// Cases in which an emoji of the same sentiment is added. This must not reduce the score of the sentiment.
fn emoji() -> Vec<Case> {
    let mut cases = Vec::new();
    for (text, _) in &OPINIONS[..5] {
        for (emoji, label) in
            [("😍", Positive), ("🎉", Positive), ("❤️", Positive), ("😡", Negative), ("💔", Negative), ("🤬", Negative)]
        {
            let texts = ((*text).to_owned(), format!("{text} {emoji}"));
            cases.push(pair("emoji", texts, Expect::More(label)));
        }
    }
    cases
}

/// Cases in which the part after "but" determines the sentiment.
fn contrast() -> Vec<Case> {
    let mut cases = Vec::new();
    for thing in THINGS {
        for (text, label) in [
            ("The {thing} looks cheap, but I love it.", Positive),
            ("I expected little, but the {thing} is excellent.", Positive),
            ("The {thing} looks great, but it breaks all the time.", Negative),
            ("Nice idea, but the {thing} simply does not work.", Negative),
            ("Everybody praises the {thing}, but it was a waste of money.", Negative),
        ] {
            cases.push(case("contrast", text.replace("{thing}", thing), Expect::Label(label)));
        }
    }
    cases
}

/// Cases in which the present state determines the sentiment.
fn change_over_time() -> Vec<Case> {
    let mut cases = Vec::new();
    for thing in THINGS {
        for (text, label) in [
            ("I used to hate the {thing}, now I love it.", Positive),
            ("The {thing} was bad last year, today it is wonderful.", Positive),
            ("I used to love the {thing}, now it is a disappointment.", Negative),
            ("The {thing} was fantastic once, these days it is awful.", Negative),
            ("Since the last change the {thing} keeps failing.", Negative),
        ] {
            cases.push(case("change over time", text.replace("{thing}", thing), Expect::Label(label)));
        }
    }
    cases
}

fn questions() -> Vec<Case> {
    const QUESTIONS: [&str; 5] = [
        "When does the {thing} come out?",
        "Which {thing} do you use?",
        "Does anyone know where the {thing} is made?",
        "Is the {thing} included in the price?",
        "How long does the {thing} usually take?",
    ];
    products("questions", &QUESTIONS, (&THINGS, &[""]), Expect::Label(Neutral))
}

/// Cases in which the opinion of the writer determines the sentiment, and not a reported opinion.
fn reported_opinions() -> Vec<Case> {
    let mut cases = Vec::new();
    for thing in THINGS {
        for (text, label) in [
            ("My sister says the {thing} is awful, but I really enjoy it.", Positive),
            ("They call the {thing} a failure. I think it is brilliant.", Positive),
            ("The ad says \"the best {thing} ever\". It is the worst one I have had.", Negative),
            ("Everyone told me the {thing} is great. I regret buying it.", Negative),
            ("My boss loves the {thing}, I cannot stand it.", Negative),
        ] {
            cases.push(case("reported opinions", text.replace("{thing}", thing), Expect::Label(label)));
        }
    }
    cases
}

fn comparisons() -> Vec<Case> {
    let mut cases = Vec::new();
    for thing in THINGS {
        for (text, label) in [
            ("This {thing} is so much better than the old one.", Positive),
            ("I have never had a better {thing} than this.", Positive),
            ("This {thing} is far worse than the old one.", Negative),
            ("Any other {thing} would have been a better choice.", Negative),
            ("Compared with the competition this {thing} is a joke.", Negative),
        ] {
            cases.push(case("comparisons", text.replace("{thing}", thing), Expect::Label(label)));
        }
    }
    cases
}

fn sarcasm() -> Vec<Case> {
    const JOKES: [&str; 5] = [
        "Oh great, the {thing} is down again. Just what I needed.",
        "Wow, only four hours to reach someone about the {thing}. Amazing.",
        "Thanks for breaking the {thing} right before the weekend, well done.",
        "I just love it when the {thing} fails in the middle of everything.",
        "Nothing better than paying twice for a {thing} that does not work.",
    ];
    products("sarcasm", &JOKES, (&THINGS, &[""]), Expect::Label(Negative))
}

/// Cases of news headlines, which report facts without an opinion.
fn headlines() -> Vec<Case> {
    const NEWS: [&str; 5] = [
        "Acme to present new {thing} in Berlin next week",
        "Regulator opens consultation on {thing} standards",
        "Acme names new head of its {thing} division",
        "Report: {thing} market to reach 4 billion by 2030",
        "Acme and Apex agree on joint {thing} development",
    ];
    products("headlines", &NEWS, (&THINGS, &[""]), Expect::Label(Neutral))
}
