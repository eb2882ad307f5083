//! Signing in, with a password or through an identity provider.

use std::net::IpAddr;

use secrecy::SecretString;

use crate::domain::Timestamp;
use crate::domain::account::{ActorName, Identity, RoleGrant, SignInMethod, User};
use crate::store::accounts::{ExternalUser, NewSession, SignedInUser};

use super::secret::SessionSecret;
use super::throttle::Attempt;
use super::{AccountError, Accounts};

/// The maximum length of a stored `User-Agent`, in characters.
const MAX_USER_AGENT_CHARS: usize = 300;

/// The maximum length of a user name in a sign-in, in bytes. No account has a longer name.
const MAX_NAME_BYTES: usize = 800;

/// The browser that signs in.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The IP address of the browser.
    pub address: Option<IpAddr>,
    /// The address or network to which limits apply.
    pub client: Option<IpAddr>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The earlier session of the browser, which the sign-in ends.
    pub replaces: Option<SessionSecret>,
}

/// A new session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session and its user.
    pub user: SignedInUser,
    /// The secret for the cookie.
    pub secret: SessionSecret,
    /// When the session ends even if it is in use.
    pub expires_at: Timestamp,
}

/// A user whom an identity provider has authenticated.
#[derive(Clone, Debug)]
pub struct ExternalIdentity {
    /// The user at the provider.
    pub identity: Identity,
    /// The name of a new account. If it is taken, a number is added: accounts are never linked by name.
    pub name: ActorName,
    /// The role that the sign-in gives to the user.
    pub role: RoleGrant,
}

impl Accounts {
    /// Signs in with a password.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`], [`AccountError::Throttled`], [`AccountError::Busy`], [`AccountError::Hash`],
    /// or when the database fails.
    pub async fn sign_in(&self, name: &str, password: &SecretString, device: Device) -> Result<SignedIn, AccountError> {
        let attempt = self.admit(name, &device)?;
        let account = (name.len() <= MAX_NAME_BYTES).then_some(attempt.account.as_str());
        let signed_in = self.open_with_password(account, password, device).await;
        match &signed_in {
            Ok(_) => self.0.throttle.succeeded(&attempt),
            Err(AccountError::WrongCredentials) => {}
            // The attempt does not count as failed, because the server was busy or the database failed.
            Err(_) => self.0.throttle.withdraw(&attempt),
        }
        signed_in
    }

    /// Opens a session for the account with this key if the password is correct. Without a key the call fails, after
    /// the time that the check of a password takes.
    async fn open_with_password(
        &self,
        account: Option<&str>,
        password: &SecretString,
        device: Device,
    ) -> Result<SignedIn, AccountError> {
        let known = match account {
            Some(account) => self.0.store.credentials(account).await?,
            None => None,
        };
        let hash = known.as_ref().and_then(|known| known.password_hash.as_deref());
        let is_right = self.0.hasher.verify(password, hash).await?;
        let known = known.filter(|known| is_right && !known.user.disabled).ok_or(AccountError::WrongCredentials)?;
        let opened = self.open_session(&known.user, SignInMethod::Password, device, known.password_hash).await;
        // The account may have been disabled, or its password changed, while the password was checked.
        opened.map_err(
            |error| if matches!(error, AccountError::Disabled) { AccountError::WrongCredentials } else { error },
        )
    }

    pub(super) fn admit(&self, name: &str, device: &Device) -> Result<Attempt, AccountError> {
        let name: String = name.trim().chars().take(MAX_NAME_BYTES).collect();
        let attempt = Attempt { account: name.to_lowercase(), client: device.client };
        self.0.throttle.admit(&attempt, self.0.clock.now()).map_err(AccountError::Throttled)?;
        Ok(attempt)
    }

    /// Signs in a user whom an identity provider has authenticated. Creates the account if there is none.
    ///
    /// # Errors
    /// [`AccountError::Disabled`], or when the database fails.
    pub async fn sign_in_external(&self, external: ExternalIdentity, device: Device) -> Result<SignedIn, AccountError> {
        let ExternalIdentity { identity, name, role } = external;
        let user = self.0.store.provide_external_user(ExternalUser { identity, name, role }).await?;
        let signed_in = self.open_session(&user, SignInMethod::Oidc, device, None).await?;
        self.refresh().await;
        Ok(signed_in)
    }

    /// Ends the sessions and deletes the tokens of a user whom the identity provider no longer allows to sign in. The
    /// account is kept, so that the user can sign in again after the provider restores the access. Returns `false` if
    /// nothing had to be ended or deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_external_access(&self, identity: Identity) -> Result<bool, AccountError> {
        let has_ended = self.0.store.end_external_access(identity).await?;
        if has_ended {
            self.refresh().await;
        }
        Ok(has_ended)
    }

    /// Opens a session. With `verified_hash`, opens it only if the database still stores that hash for the user's
    /// password.
    pub(super) async fn open_session(
        &self,
        user: &User,
        method: SignInMethod,
        device: Device,
        verified_hash: Option<String>,
    ) -> Result<SignedIn, AccountError> {
        let secret = SessionSecret::generate();
        let expires_at = self.0.clock.now() + self.0.options.absolute;
        let user_agent = device
            .user_agent
            .map(|text| text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect::<String>());
        let new = NewSession {
            sha256: secret.sha256(),
            user_id: user.id,
            method,
            expires_at,
            address: device.address.as_ref().map(IpAddr::to_string),
            user_agent,
            replaces: device.replaces.as_ref().map(SessionSecret::sha256),
            verified_hash,
        };
        let user = self.0.store.create_session(new).await?.ok_or(AccountError::Disabled)?;
        self.0.cached.invalidate_all();
        self.0.live.saw(user.session.id);
        Ok(SignedIn { user, secret, expires_at })
    }
}
