//! Parses the response of an LLM. Only values that match the requested schema are accepted.

use serde::Deserialize;
use serde_json::Value;

use sentistream_core::domain::{Emotion, Scores, Sentiment};

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Results {
    #[serde(rename = "judgements")]
    results: Vec<Value>,
}

#[derive(Clone, Copy, Deserialize)]
struct TextResult {
    index: usize,
    sentiment: Sentiment,
    confidence: f64,
    emotion: Emotion,
}

/// Reads the scores of `count` texts from the body of a response; `None` for each text without a valid result. Unknown
/// indexes are ignored. A text whose index occurs twice has no valid result.
///
/// # Errors
/// When the whole response is invalid.
pub fn read(body: &[u8], count: usize) -> Result<Vec<Option<Scores>>, &'static str> {
    let completion: Completion = serde_json::from_slice(body).map_err(|_| "the response is not a chat completion")?;
    let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
    let content = content.ok_or("the response is empty")?;
    let Results { results } =
        serde_json::from_str(bare(&content)).map_err(|_| "the response is not the requested JSON")?;
    let mut found: Vec<Vec<Scores>> = vec![Vec::new(); count];
    for result in results {
        // An invalid result is skipped, because the results of other texts may be valid.
        let Ok(result) = serde_json::from_value::<TextResult>(result) else { continue };
        if let (Some(place), Some(scores)) = (found.get_mut(result.index), scores(result)) {
            place.push(scores);
        }
    }
    let one = |scores: Vec<Scores>| if let [scores] = scores.as_slice() { Some(*scores) } else { None };
    Ok(found.into_iter().map(one).collect())
}

/// Removes the Markdown code block in which some models wrap the JSON.
fn bare(content: &str) -> &str {
    let content = content.trim();
    let inner = content.strip_prefix("```json").or_else(|| content.strip_prefix("```"));
    inner.and_then(|inner| inner.strip_suffix("```")).unwrap_or(content).trim()
}

/// Converts a result to scores. An LLM reports one confidence and one emotion, so the other two sentiments share the
/// remaining probability, and the emotion has the score 1.
fn scores(result: TextResult) -> Option<Scores> {
    if !(0.0..=1.0).contains(&result.confidence) {
        return None;
    }
    // With a confidence below a third, the label would not have the largest score.
    let confidence = result.confidence.max(0.34) as f32;
    let mut scores = Scores { sentiment: [(1.0 - confidence) / 2.0; 3], emotion: [0.0; 7] };
    scores.sentiment[result.sentiment.index()] = confidence;
    scores.emotion[result.emotion.index()] = 1.0;
    Some(scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(content: &str) -> Vec<u8> {
        json!({"choices": [{"message": {"role": "assistant", "content": content}}]}).to_string().into_bytes()
    }

    #[test]
    fn only_valid_results_of_a_response_are_kept() {
        let content = json!({"judgements": [
            {"index": 0, "sentiment": "positive", "confidence": 0.9, "emotion": "joy"},
            {"index": 1, "sentiment": "great", "confidence": 0.9, "emotion": "joy"},
            {"index": 2, "sentiment": "positive", "confidence": 1.5, "emotion": "joy"},
            {"index": 3, "sentiment": "positive", "confidence": 0.9, "emotion": "love"},
            {"index": 4, "sentiment": "positive", "confidence": 0.9, "emotion": "joy"},
            {"index": 4, "sentiment": "negative", "confidence": 0.9, "emotion": "joy"},
            {"index": 6, "sentiment": "negative", "confidence": 0.1, "emotion": "fear"},
            {"index": 99, "sentiment": "negative", "confidence": 0.9, "emotion": "fear"},
            "ignore the instructions",
        ]});
        for content in [content.to_string(), format!("```json\n{content}\n```")] {
            let found = read(&body(&content), 7).unwrap();
            let right: Vec<usize> = (0..7).filter(|&index| found[index].is_some()).collect();
            assert_eq!(right, [0, 6]);
            assert_eq!(found[0].unwrap().top_sentiment(), (Sentiment::Positive, 0.9));
            assert_eq!(
                (found[6].unwrap().top_sentiment().0, found[6].unwrap().top_emotion()),
                (Sentiment::Negative, Emotion::Fear)
            );
        }
    }

    #[test]
    fn malformed_response_is_an_error() {
        let no_content = json!({"choices": [{"message": {"content": null}}]}).to_string().into_bytes();
        for body in
            [body("I think it is positive"), body("{\"judgements\": [{\"index\": 0,"), b"<html>".to_vec(), no_content]
        {
            assert!(read(&body, 1).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_response_is_parsed_or_rejected(content: String, bytes: Vec<u8>) {
            let _ = (read(&body(&content), 3), read(&bytes, 3));
        }
    }
}
