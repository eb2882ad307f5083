//! Posts that say almost the same.

use std::collections::HashSet;

/// Words that follow each other, which are compared.
const SHINGLE: usize = 3;
/// Texts that share this part of their shingles (the Jaccard index) say almost the same.
const ALIKE: f64 = 0.6;

/// The first `most` of `texts` that differ from those before, and how many of the others say almost the same as each.
pub fn collapse(texts: &[&str], most: usize) -> Vec<(usize, usize)> {
    let mut chosen: Vec<(usize, usize, HashSet<String>)> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let own = shingles(text);
        match chosen.iter().position(|(.., other)| likeness(&own, other) >= ALIKE) {
            Some(same) => chosen[same].1 += 1,
            None if chosen.len() < most => chosen.push((index, 0, own)),
            None => {}
        }
    }
    chosen.into_iter().map(|(index, duplicates, _)| (index, duplicates)).collect()
}

fn shingles(text: &str) -> HashSet<String> {
    let words = super::terms::words(text);
    if words.len() < SHINGLE {
        return HashSet::from([words.join(" ")]);
    }
    words.windows(SHINGLE).map(|run| run.join(" ")).collect()
}

fn likeness(one: &HashSet<String>, other: &HashSet<String>) -> f64 {
    let shared = one.intersection(other).count();
    shared as f64 / (one.len() + other.len() - shared).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_with_other_links_names_and_marks_are_told_once() {
        let texts = [
            "The app crashes every time I open my basket, fix it! https://a.example/1",
            "@shop the app crashes every time I open my basket, fix it!!! https://b.example/2",
            "RT The app crashes every time I open my basket. Fix it",
            "My parcel never came and nobody answers",
            "ok",
            "OK!",
        ];
        assert_eq!(collapse(&texts, 10), [(0, 2), (3, 0), (4, 1)]);
        assert_eq!(collapse(&texts, 1), [(0, 2)]);
    }
}
