use proptest::prelude::*;

use super::fit::CalibrationFitError;
use super::*;
use crate::eval::{Labelled, Prediction};
use sentistream_core::domain::{Analysis, Scores};

fn top(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |top, index| if scores[index] > scores[top] { index } else { top })
}

proptest! {
    #[test]
    fn no_temperature_changes_a_label(
        outputs in prop::array::uniform3(-40.0f32..40.0),
        independent in prop::array::uniform7(0.0f32..=1.0),
        near in -3i32..=3,
        temperature in 0.05f64..20.0,
    ) {
        let sum: f32 = outputs.iter().map(|output| output.exp()).sum();
        let before = outputs.map(|output| output.exp() / sum);
        let mut scores = before;
        temper_shares(&mut scores, temperature);
        prop_assert_eq!(top(&before), top(&scores), "{:?} → {:?}", before, scores);
        prop_assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", scores);

        let mut before = independent;
        // Rounding errors could change the label of a score next to the threshold.
        before[0] = f32::from_bits(EMOTION_THRESHOLD.to_bits().wrapping_add_signed(near));
        let mut scores = before;
        temper_independent(&mut scores, temperature);
        prop_assert_eq!(top(&before), top(&scores), "{:?} → {:?}", before, scores);
        for (before, after) in before.iter().zip(scores) {
            prop_assert_eq!(*before > EMOTION_THRESHOLD, after > EMOTION_THRESHOLD, "{} → {}", before, after);
            prop_assert!((0.0..=1.0).contains(&after), "{} → {}", before, after);
        }
    }
}

#[test]
fn temperature_on_probabilities_equals_that_on_logits() {
    let softmax = |outputs: [f32; 3]| {
        let sum: f32 = outputs.iter().map(|output| output.exp()).sum();
        outputs.map(|output| output.exp() / sum)
    };
    let mut scores = softmax([2.0, -1.0, 0.5]);
    temper_shares(&mut scores, 2.0);
    for (got, wanted) in scores.into_iter().zip(softmax([1.0, -0.5, 0.25])) {
        assert!((got - wanted).abs() < 1e-6, "got {got}, expected {wanted}");
    }
}

/// The model is worse on the texts of the fit than on the other texts, so the fitted temperature is wrong.
#[test]
fn temperature_that_does_not_reduce_the_loss_is_discarded() {
    let (records, analyses): (Vec<Labelled>, Vec<Analysis>) = (0..1_000)
        .map(|n| {
            let label = if n % 2 == 0 && n % 8 != 0 { "negative" } else { "positive" };
            let record = serde_json::from_str(&format!(r#"{{"text": "t{n}", "sentiment": "{label}"}}"#)).unwrap();
            let scores = Scores { sentiment: [0.05, 0.05, 0.9], emotion: [0.0; 7] };
            (record, Analysis::from_scores("m".into(), scores, 3, false))
        })
        .unzip();
    let predictions = Prediction::all(&records, &analyses);
    let sentiment = fit(&predictions).unwrap().sentiment.unwrap();
    assert_eq!(sentiment.temperature, 1.0, "{sentiment:?}");
    assert_eq!(sentiment.nll_before, sentiment.nll_after);
}

/// The model is overconfident: its log-odds are three times too large.
#[test]
fn overconfident_model_gets_a_temperature_above_1() {
    let (records, analyses): (Vec<Labelled>, Vec<Analysis>) = (0..4_000)
        .map(|n| {
            // Three of four texts are positive, but the model gives odds of 27 to 1 instead of 3 to 1.
            let positive = n / 2 % 4 != 3;
            let sentiment = [1.0 / 28.0, 0.0, 27.0 / 28.0];
            let line = format!(
                r#"{{"text": "t{n}", "sentiment": "{}", "emotions": ["{}"]}}"#,
                if positive { "positive" } else { "negative" },
                if positive { "joy" } else { "anger" },
            );
            let record: Labelled = serde_json::from_str(&line).unwrap();
            let emotion = [0.01, 0.0, 0.0, 0.9996, 0.0, 0.0, 0.0];
            (record, Analysis::from_scores("m".into(), Scores { sentiment, emotion }, 3, false))
        })
        .unzip();
    let predictions = Prediction::all(&records, &analyses);
    let calibration = fit(&predictions).unwrap();
    let sentiment = calibration.sentiment.as_ref().unwrap();
    assert!((sentiment.temperature - 3.0).abs() < 0.01, "{sentiment:?}");
    assert!(sentiment.ece_before > 0.2 && sentiment.ece_after < 0.001, "{sentiment:?}");
    assert!(sentiment.nll_after < sentiment.nll_before, "{sentiment:?}");
    assert_eq!((sentiment.fitted_on, sentiment.measured_on), (2_000, 2_000));
    assert!(calibration.emotion.as_ref().unwrap().temperature > 2.0, "{calibration:?}");
    let stored = serde_json::to_vec(&calibration).unwrap();
    assert_eq!(Calibration::parse(&stored).unwrap(), calibration);

    assert_eq!(fit(&predictions[..150]), Err(CalibrationFitError::TooFew { head: "sentiment", found: 150 }));
    let wrong = Calibration::parse(
        br#"{"sentiment": {"temperature": 0, "fitted_on": 1, "measured_on": 1,
        "ece_before": 0, "ece_after": 0, "nll_before": 0, "nll_after": 0}}"#,
    );
    assert!(wrong.unwrap_err().to_string().contains("between 0.05 and 20"));
}
