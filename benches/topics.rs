//! Measures the cost of matching a post on one core: against 1,000 topics of a few terms, and against 5,000 topics of
//! 50 terms.
//!
//! `cargo bench --bench topics` matches synthetic posts. `cargo bench --bench topics -- posts.ndjson` matches the
//! `content` of each line. The terms are words of these posts.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sentistream::domain::{Subject, TopicId};
use sentistream::terms::text;
use sentistream::topics::{Matcher, Query, Scratch};

/// The number of topics, and the number of terms of each.
const SIZES: [(usize, usize); 2] = [(1_000, 4), (5_000, 50)];
const POSTS: usize = 20_000;
/// The number of words of the synthetic language. A few of them are frequent.
const WORDS: usize = 20_000;
/// The number of the most frequent words, which are not used in queries.
const FREQUENT: usize = 200;

/// Posts, and their words in descending order of frequency.
struct Texts {
    posts: Vec<String>,
    words: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = StdRng::seed_from_u64(7);
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let Texts { posts, words } = match given {
        Some(path) => read(Path::new(&path))?,
        None => make_up(&mut random),
    };
    for (topics, terms) in SIZES {
        let queries: Result<Vec<Query>, _> = (0..topics)
            .map(|number| {
                let parts: Vec<String> = (0..terms.div_ceil(4)).map(|_| query(number, &words, &mut random)).collect();
                Query::parse(&parts.join(" OR "))
            })
            .collect();
        measure(&queries?, &posts);
    }
    Ok(())
}

fn make_up(random: &mut StdRng) -> Texts {
    let words: Vec<String> = (0..WORDS).map(|number| word(number, random)).collect();
    let posts = (0..POSTS).map(|_| post(&words, random)).collect();
    Texts { posts, words }
}

fn read(path: &Path) -> Result<Texts, Box<dyn Error>> {
    let mut posts = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let post: serde_json::Value = serde_json::from_str(line)?;
        let content = post["content"].as_str().ok_or("a line has no content")?;
        for word in text::words_of(&text::normal(content)) {
            if word.chars().count() > 2 && word.chars().all(char::is_alphanumeric) {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
        }
        posts.push(content.to_owned());
    }
    let mut words: Vec<(String, usize)> = counts.into_iter().collect();
    words.sort_unstable_by(|(one, rate), (other, other_rate)| other_rate.cmp(rate).then(one.cmp(other)));
    words.truncate(WORDS);
    Ok(Texts { posts, words: words.into_iter().map(|(word, _)| word).collect() })
}

fn measure(queries: &[Query], posts: &[String]) {
    let started = Instant::now();
    let matcher = Matcher::new((1..).map(TopicId).zip(queries)).expect("cannot build the matcher");
    let built = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let one = Matcher::new([(TopicId(1), &queries[0])]).expect("cannot build the matcher");
    assert!(!black_box(one).is_empty());
    let added = started.elapsed().as_secs_f64() * 1e6;

    let mut scratch = Scratch::default();
    let mut matched = 0;
    let started = Instant::now();
    for (number, content) in posts.iter().enumerate() {
        let lang = Some(if number % 3 == 0 { "de" } else { "en-US" });
        let subject = Subject { content, author: Some("Ada"), source: "web", lang, url: None, is_reply: false };
        matched += black_box(matcher.matches(&subject, &mut scratch)).len();
    }
    let seconds = started.elapsed().as_secs_f64();
    let characters: usize = posts.iter().map(|post| post.chars().count()).sum();
    println!(
        "{} topics: {:.1} µs per post, {:.0} posts/s on one core ({} characters, {:.1} matches per post); \
         matcher of all topics built in {built:.0} ms, one more topic added in {added:.0} µs",
        queries.len(),
        seconds * 1e6 / posts.len() as f64,
        posts.len() as f64 / seconds,
        characters / posts.len(),
        matched as f64 / posts.len() as f64,
    );
}

/// A random word. Every tenth word is in a script other than Latin, so that not all posts are ASCII.
fn word(number: usize, random: &mut StdRng) -> String {
    let (first, letters) = if number % 10 == 9 { ('а', 30) } else { ('a', 26) };
    let length = random.random_range(3..10);
    let mut word: String = (0..length)
        .map(|_| char::from_u32(u32::from(first) + random.random_range(0..letters)).expect("not a character"))
        .collect();
    if number.is_multiple_of(50) {
        word.insert(0, '#');
    }
    word
}

/// A random word. Words with small numbers are more frequent.
fn pick<'w>(words: &'w [String], random: &mut StdRng) -> &'w str {
    let share: f64 = random.random_range(0.0..1.0);
    &words[(share.powi(4) * WORDS as f64) as usize]
}

fn post(words: &[String], random: &mut StdRng) -> String {
    let length = random.random_range(5..45);
    let picked: Vec<&str> = (0..length).map(|_| pick(words, random)).collect();
    picked.join(" ")
}

fn query(number: usize, words: &[String], random: &mut StdRng) -> String {
    let mut any = || words[random.random_range(FREQUENT..words.len())].trim_start_matches('#').to_owned();
    match number % 5 {
        0 => format!("{} OR #{} OR \"{} {}\"", any(), any(), any(), any()),
        1 => format!("({} OR {}*) -{} lang:en", any(), any(), any()),
        2 => format!("\"{} {}\" OR #{} -giveaway", any(), any(), any()),
        3 => format!("{} OR ({} {}) source:web", any(), any(), any()),
        _ => format!("{} OR @{} OR author:{}", any(), any(), any()),
    }
}
