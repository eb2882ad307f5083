//! Limits the model tokens that each client may use, so that one client cannot keep the model busy.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::inference::variants;

use super::error::ApiError;
use super::options::AnalyzeBudget;

/// The assumed number of characters per token. A request is admitted before its texts are tokenised.
const CHARS_PER_TOKEN: usize = 3;

/// The token budget of each client.
pub struct Admission(ArcSwapOption<Limited>);

struct Limited {
    budget: AnalyzeBudget,
    buckets: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limited {
    fn new(budget: AnalyzeBudget) -> Arc<Self> {
        let quota = Quota::per_second(budget.per_second).allow_burst(budget.burst);
        Arc::new(Self { budget, buckets: RateLimiter::keyed(quota) })
    }
}

impl Admission {
    /// Gives each client a budget of this size; `None` admits every request.
    pub fn new(budget: Option<AnalyzeBudget>) -> Self {
        Self(ArcSwapOption::new(budget.map(Limited::new)))
    }

    /// Changes the budget. If the new budget differs from the current one, each client starts with a full budget.
    pub fn set(&self, budget: Option<AnalyzeBudget>) {
        if self.0.load().as_ref().map(|limited| limited.budget) != budget {
            self.0.store(budget.map(Limited::new));
        }
    }

    /// Takes `tokens` from the budget of `client`.
    ///
    /// # Errors
    /// 422 for `field`, which holds the texts, when the request costs more than a full budget; 429 while the budget is
    /// used up.
    pub fn admit(&self, client: Option<IpAddr>, tokens: usize, field: &str) -> Result<(), ApiError> {
        let (Some(limited), Some(client)) = (self.0.load_full(), client) else { return Ok(()) };
        let Some(cost) = u32::try_from(tokens).ok().and_then(NonZeroU32::new) else { return Ok(()) };
        match limited.buckets.check_key_n(&client, cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                metrics::counter!("sentistream_http_analyze_limited_total").increment(1);
                let wait = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
                let detail = format!("the token budget of this client for analyses is used up; try again in {wait} s");
                Err(ApiError::throttled(detail, wait))
            }
            Err(_) => Err(ApiError::invalid_field(
                field,
                format!(
                    "about {tokens} tokens are needed, and one request may use at most {}; send fewer or shorter \
                     texts, or explain fewer of them",
                    limited.budget.burst
                ),
            )),
        }
    }

    /// Removes clients without recent requests.
    pub fn remove_idle(&self) {
        if let Some(limited) = &*self.0.load() {
            limited.buckets.retain_recent();
            limited.buckets.shrink_to_fit();
        }
    }
}

/// The kind of analysis that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Each text is classified once.
    Classify,
    /// Each text is classified once in full, and once for each of its parts, with that part removed.
    Explain,
}

/// The approximate number of tokens that the model computes for `texts`.
pub fn cost(texts: &[String], work: Work) -> usize {
    let tokens = |text: &String| text.chars().count() / CHARS_PER_TOKEN + 2;
    match work {
        Work::Classify => texts.iter().map(tokens).sum(),
        Work::Explain => texts.iter().map(|text| tokens(text) * variants(text)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[test]
    fn client_is_limited_by_tokens_and_not_by_requests() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let admission = Admission::new(Some(AnalyzeBudget { per_second: number(1), burst: number(1_000) }));
        let client = |last| Some(IpAddr::from([192, 0, 2, last]));
        let status = |result: Result<(), ApiError>| result.unwrap_err().status_code().as_u16();
        admission.admit(client(1), 900, "texts").unwrap();
        assert_eq!(status(admission.admit(client(1), 200, "texts")), 429);
        assert_eq!(status(admission.admit(client(1), 1_001, "texts")), 422);
        admission.admit(client(2), 1_000, "texts").unwrap();
        let text = vec!["seven words make a text of words".to_owned()];
        assert_eq!(cost(&text, Work::Explain), 8 * cost(&text, Work::Classify));
    }
}
