use proptest::prelude::*;

use super::*;
use crate::topics::query::QueryError;

/// The published table of queries and texts, which docs/topics.md links to.
const TABLE: &str = include_str!("../../../tests/data/topic_queries.tsv");

fn post(content: &str) -> Subject<'_> {
    Subject { content, author: Some("Ada"), source: "web", lang: Some("en-US"), url: None, is_reply: false }
}

/// The match of a topic if it is the only topic.
fn alone(topic: TopicId, query: &str, content: &str) -> Option<TopicMatch> {
    let found = matcher(&[query]).matches(&post(content), &mut Scratch::default());
    found.first().map(|found| TopicMatch { topic, ..*found })
}

fn matcher(queries: &[&str]) -> Matcher {
    let queries: Vec<Query> = queries.iter().map(|text| Query::parse(text).expect(text)).collect();
    Matcher::new((1..).map(TopicId).zip(&queries)).unwrap()
}

/// The expected and the actual result for a row of the table.
fn row(line: &str) -> [String; 2] {
    let columns: Vec<&str> = line.split('\t').collect();
    let (query, content, expected) = (columns[0], columns[1], columns[2]);
    let property = |name: &str| {
        let (key, value) = columns.get(3)?.split_once('=')?;
        (key == name).then_some(value)
    };
    let subject = Subject {
        content,
        author: property("author"),
        source: property("source").unwrap_or("other"),
        lang: property("lang"),
        url: property("url"),
        is_reply: property("reply").is_some(),
    };
    let labels = property("labels").map(|labels| {
        let (sentiment, emotion) = labels.split_once('/').expect("sentiment/emotion");
        PostLabels { sentiment: sentiment.parse().expect(labels), emotion: emotion.parse().expect(labels) }
    });
    let happens = match Query::parse(query) {
        Err(QueryError { position, .. }) => format!("error {position}"),
        Ok(query) => {
            let matcher = Matcher::new([(TopicId(1), &query)]).unwrap();
            let matched = TopicMatch::decided(&matcher.matches(&subject, &mut Scratch::default()), labels);
            if matched.is_empty() { "no".to_owned() } else { "yes".to_owned() }
        }
    };
    [expected.to_owned(), happens]
}

#[test]
fn published_query_table_has_correct_results() {
    let rows: Vec<&str> = TABLE.lines().skip(1).filter(|line| !line.starts_with("# ")).collect();
    assert!(rows.len() >= 150, "{}", rows.len());
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|line| {
            let [expected, happens] = row(line);
            (expected != happens).then(|| format!("{line}: {happens}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_queries_in_one_matcher_match_as_each_query_alone() {
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("# "))
        .map(|line| line.split('\t').collect())
        .filter(|columns: &Vec<&str>| Query::parse(columns[0]).is_ok())
        .collect();
    let queries: Vec<&str> = rows.iter().map(|columns| columns[0]).collect();
    let together = matcher(&queries);
    let mut scratch = Scratch::default();
    for content in rows.iter().map(|columns| columns[1]).step_by(7) {
        let expected: Vec<TopicMatch> =
            (1..).map(TopicId).zip(&queries).filter_map(|(id, query)| alone(id, query, content)).collect();
        assert_eq!(together.matches(&post(content), &mut scratch), expected, "{content}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_queries_in_one_matcher_match_as_each_query_alone(
        queries in prop::collection::vec(
            "(aa|bb|-cc|\"aa bb\"|#aa|ab\\*|\\*bb|\\(aa OR -bb\\)|lang:en|-source:x|\\{Aa\\}|aa NEAR/1 bb|emotion:joy|-sentiment:negative|日本)( (OR )?(aa|-bb|cc|#cc|-aa|emotion:fear|本)){0,3}", 1..12),
        contents in prop::collection::vec("(aa|bb|cc|abb|Aa|#aa|#cc|é|日本|本日| ){0,8}", 1..6),
    ) {
        let queries: Vec<&str> = queries.iter().map(String::as_str).filter(|q| Query::parse(q).is_ok()).collect();
        let together = matcher(&queries);
        let mut scratch = Scratch::default();
        for content in &contents {
            let expected: Vec<TopicMatch> = (1..)
                .map(TopicId)
                .zip(&queries)
                .filter_map(|(id, query)| alone(id, query, content))
                .collect();
            prop_assert_eq!(together.matches(&post(content), &mut scratch), expected, "{} {:?}", content, queries);
        }
    }
}
