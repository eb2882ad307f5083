//! Delays after failed sign-ins.
//!
//! Failures are counted for each pair of account and client, and for each client. A client is an IPv4 address or an
//! IPv6 /64 network. Each account also has a budget of attempts by clients that have not signed in to it before, which
//! slows down an attack from many addresses. Failures of other clients therefore do not delay the owner of an account
//! who signs in from a client that has signed in to it before. A second, larger budget limits the attempts
//! of new clients for all accounts together, which bounds the work of the server.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::Timestamp;

/// Failed attempts of a client for one account before delays begin.
const FREE_FOR_ACCOUNT: u32 = 5;
/// Failed attempts of a client for all accounts before its attempts for accounts that it has not signed in to are
/// delayed.
const FREE_FOR_CLIENT: u32 = 20;
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(900);
/// Failures are forgotten after this time without another failure.
const MEMORY: Duration = Duration::from_secs(86_400);
/// The maximum number of remembered pairs; also the maximum number of remembered clients and of remembered accounts.
const CAPACITY: u64 = 20_000;
/// The budget of one account for attempts by clients that have not signed in to it before.
const FOR_ACCOUNT: Rate = Rate { burst: 200.0, per_second: 2.0 };
/// The budget of all accounts together for attempts by clients that have not signed in to the account before.
const FOR_ALL: Rate = Rate { burst: 5_000.0, per_second: 100.0 };

/// An account and a client that signs in to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The key of the account's name.
    pub account: String,
    /// The address or network of the client.
    pub client: Option<IpAddr>,
}

/// Counts failed attempts.
pub struct Throttle {
    pairs: Cache<Attempt, Failures>,
    clients: Cache<Option<IpAddr>, Failures>,
    /// Clients that have signed in to the account.
    known: Cache<Attempt, ()>,
    /// The budget of each account for clients that are new to it.
    accounts: Cache<String, Budget>,
    /// The budget of all accounts together. The lock is held while an attempt is counted.
    all: Mutex<Option<Budget>>,
}

/// How many attempts a budget allows.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// The number of attempts in one burst.
    burst: f64,
    /// The number of attempts per second on average.
    per_second: f64,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Budget {
    left: f64,
    at: Timestamp,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            pairs: Cache::new(CAPACITY),
            clients: Cache::new(CAPACITY),
            known: Cache::new(CAPACITY),
            accounts: Cache::new(CAPACITY),
            all: Mutex::default(),
        }
    }
}

impl Throttle {
    /// Admits an attempt. An attempt counts as failed until [`Self::succeeded`] is called, so that concurrent attempts
    /// count too.
    ///
    /// # Errors
    /// The time to wait before the next attempt.
    pub fn admit(&self, attempt: &Attempt, now: Timestamp) -> Result<(), Duration> {
        // The lock is held until the failure is counted, so that no concurrent attempt is missed.
        let mut all = self.lock();
        let is_known = self.known.contains_key(attempt);
        let pair = remembered(self.pairs.get(attempt), now);
        wait(pair, FREE_FOR_ACCOUNT, now)?;
        let client = remembered(self.clients.get(&attempt.client), now);
        if !is_known {
            wait(client, FREE_FOR_CLIENT, now)?;
            // The budget of the account is stored only after both budgets have allowed the attempt.
            let account = FOR_ACCOUNT.spend(self.accounts.get(&attempt.account), now)?;
            *all = Some(FOR_ALL.spend(*all, now)?);
            self.accounts.insert(attempt.account.clone(), account);
        }
        self.pairs.insert(attempt.clone(), failed(pair, now));
        self.clients.insert(attempt.client, failed(client, now));
        Ok(())
    }

    /// Forgets the failures of the client for this account, and the failure that [`Self::admit`] counted for the
    /// client.
    pub fn succeeded(&self, attempt: &Attempt) {
        let _counted = self.lock();
        self.pairs.invalidate(attempt);
        self.forget_failure_of_client(attempt.client);
        self.known.insert(attempt.clone(), ());
    }

    /// Removes the failure that was counted for an admitted attempt whose result is unknown, because the server was
    /// busy or its database failed. The budgets are not refunded, because they also bound the work of the server.
    pub fn withdraw(&self, attempt: &Attempt) {
        let _counted = self.lock();
        if let Some(failures) = self.pairs.get(attempt) {
            self.pairs.insert(attempt.clone(), failures.without_one());
        }
        self.forget_failure_of_client(attempt.client);
    }

    fn forget_failure_of_client(&self, client: Option<IpAddr>) {
        if let Some(failures) = self.clients.get(&client) {
            self.clients.insert(client, failures.without_one());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Budget>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// One failure less. The time of the last attempt does not change.
    fn without_one(self) -> Self {
        Self { count: self.count.saturating_sub(1), ..self }
    }
}

impl Rate {
    /// The budget after one more attempt.
    ///
    /// # Errors
    /// The time until the budget allows the attempt.
    fn spend(self, budget: Option<Budget>, now: Timestamp) -> Result<Budget, Duration> {
        let Self { burst, per_second } = self;
        let Budget { left, at } = budget.unwrap_or(Budget { left: burst, at: now });
        let left = (left + now.since(at).as_secs_f64() * per_second).min(burst);
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / per_second));
        }
        Ok(Budget { left: left - 1.0, at: now })
    }
}

fn remembered(failures: Option<Failures>, now: Timestamp) -> Option<Failures> {
    failures.filter(|failures| now.since(failures.last) < MEMORY)
}

fn failed(failures: Option<Failures>, now: Timestamp) -> Failures {
    Failures { count: failures.map_or(0, |failures| failures.count).saturating_add(1), last: now }
}

/// Fails with the remaining delay if the last failure was too recent. The delay doubles with each failure beyond
/// `free`.
fn wait(failures: Option<Failures>, free: u32, now: Timestamp) -> Result<(), Duration> {
    let Some(Failures { count, last }) = failures.filter(|failures| failures.count >= free) else { return Ok(()) };
    let delay = Duration::from_secs(1_u64 << (count - free).min(16)).min(LONGEST);
    let passed = now.since(last);
    if passed >= delay { Ok(()) } else { Err(delay - passed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(account: &str, last: u8) -> Attempt {
        Attempt { account: account.to_owned(), client: Some(IpAddr::from([192, 0, 2, last])) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_772_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    #[test]
    fn delays_double_and_failures_expire() {
        let throttle = Throttle::default();
        let (ada, mut now) = (attempt("ada", 1), 0);
        for _ in 0..FREE_FOR_ACCOUNT {
            assert_eq!(throttle.admit(&ada, at(now)), Ok(()));
        }
        for delay in [1, 2, 4, 8, 16] {
            assert_eq!(throttle.admit(&ada, at(now)), Err(Duration::from_secs(delay)));
            now += i64::try_from(delay).unwrap();
            assert_eq!(throttle.admit(&ada, at(now)), Ok(()));
        }
        for _ in 0..20 {
            now += 901;
            assert_eq!(throttle.admit(&ada, at(now)), Ok(()));
        }
        assert_eq!(throttle.admit(&ada, at(now)), Err(LONGEST));
        assert_eq!(throttle.admit(&ada, at(now + 86_400)), Ok(()), "failures are forgotten");
    }

    #[test]
    fn failures_of_other_clients_do_not_delay_the_owner() {
        let throttle = Throttle::default();
        let owner = attempt("ada", 1);
        assert_eq!(throttle.admit(&owner, at(0)), Ok(()));
        throttle.succeeded(&owner);
        // Many clients guess the password of the account, and clients guess for other accounts.
        for n in 0..5_000_u32 {
            let client = IpAddr::V4((0xc633_6400 + n).into());
            let guess = Attempt { account: "ada".to_owned(), client: Some(client) };
            let _ = throttle.admit(&guess, at(1));
        }
        assert!(throttle.admit(&attempt("ada", 77), at(1)).is_err(), "the budget for new clients is used up");
        assert_eq!(throttle.admit(&owner, at(1)), Ok(()));
        assert_eq!(throttle.admit(&attempt("bob", 77), at(1)), Ok(()), "each account has its own budget");
        assert_eq!(throttle.admit(&attempt("ada", 78), at(2)), Ok(()), "the budget refills");
    }

    #[test]
    fn attempts_for_all_accounts_are_bounded() {
        let throttle = Throttle::default();
        let admitted = (0..6_000_u32).filter(|n| {
            let client = IpAddr::V4((0xc633_6400_u32 + n).into());
            let guess = Attempt { account: format!("user{n}"), client: Some(client) };
            throttle.admit(&guess, at(0)).is_ok()
        });
        assert_eq!(admitted.count(), 5_000);
        assert_eq!(throttle.admit(&attempt("ada", 1), at(1)), Ok(()), "the budget refills");
    }

    #[test]
    fn attempt_with_unknown_result_is_no_failure() {
        let throttle = Throttle::default();
        for n in 0..50 {
            let ada = attempt(if n % 2 == 0 { "ada" } else { "bob" }, 1);
            assert_eq!(throttle.admit(&ada, at(0)), Ok(()));
            throttle.withdraw(&ada);
        }
    }

    #[test]
    fn client_that_tries_many_accounts_is_delayed() {
        let throttle = Throttle::default();
        for n in 0..FREE_FOR_CLIENT {
            assert_eq!(throttle.admit(&attempt(&format!("user{n}"), 1), at(0)), Ok(()));
        }
        assert!(throttle.admit(&attempt("another", 1), at(0)).is_err());
        assert_eq!(throttle.admit(&attempt("another", 2), at(0)), Ok(()), "another client");
    }

    #[test]
    fn successful_sign_in_removes_failures() {
        let throttle = Throttle::default();
        let ada = attempt("ada", 1);
        for _ in 0..20 {
            assert_eq!(throttle.admit(&ada, at(0)), Ok(()));
            throttle.succeeded(&ada);
        }
    }
}
