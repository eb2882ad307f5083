//! Creating, inviting and changing users, and their passwords.

use std::time::Duration;

use secrecy::SecretString;

use crate::domain::Timestamp;
use crate::domain::account::{ActorName, SignInMethod, User, UserRole};
use crate::store::accounts::{FirstUser, NewUser, SignedInUser, UserChanged, UserCreated, UserEdit};

use super::password::NewPassword;
use super::secret::sha256;
use super::{AccountError, Accounts, Device, SessionSecret, SignedIn};

/// How long an invitation is valid.
const INVITATION_LIFETIME: Duration = Duration::from_secs(3 * 86_400);

impl Accounts {
    /// Creates the first account, an administrator, and signs in. `code` is the code of a sign-in link; `None` if the
    /// client may create the account without a code.
    ///
    /// # Errors
    /// [`AccountError::Exists`], [`AccountError::WrongCode`], [`AccountError::NameTaken`], [`AccountError::Busy`],
    /// [`AccountError::Hash`], or when the database fails.
    pub async fn create_first(
        &self,
        name: ActorName,
        password: &NewPassword,
        code: Option<&str>,
        device: Device,
    ) -> Result<SignedIn, AccountError> {
        // Anyone can send this request, so the check comes before the hash of the password, which is expensive.
        if self.0.store.count_users().await? > 0 {
            return Err(AccountError::Exists);
        }
        let code = code.map(sha256);
        if let Some(code) = &code
            && !self.0.store.has_sign_in_code(code).await?
        {
            return Err(AccountError::WrongCode);
        }
        if self.is_token(&name).await? {
            return Err(AccountError::NameTaken);
        }
        let new = NewUser {
            created_by: name.as_str().to_owned(),
            name,
            role: UserRole::Admin,
            password_hash: Some(self.0.hasher.hash(password).await?),
        };
        let user = match self.0.store.create_first_user(new, code).await? {
            FirstUser::Done(user) => *user,
            FirstUser::Exists => return Err(AccountError::Exists),
            FirstUser::WrongCode => return Err(AccountError::WrongCode),
        };
        let signed_in = self.open_session(&user, SignInMethod::Link, device, None).await?;
        self.refresh().await;
        Ok(signed_in)
    }

    /// The user whose invitation has this code; `None` when the code is wrong, used or expired, or the user is
    /// disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited_user(&self, code: &str) -> Result<Option<User>, AccountError> {
        Ok(self.0.store.invited_user(&sha256(code)).await?)
    }

    /// Sets the password of an invited user, and signs in.
    ///
    /// # Errors
    /// [`AccountError::WrongCode`], [`AccountError::Busy`], [`AccountError::Hash`], or when the database fails.
    pub async fn accept_invitation(
        &self,
        code: &str,
        password: &NewPassword,
        device: Device,
    ) -> Result<SignedIn, AccountError> {
        let hash = self.0.hasher.hash(password).await?;
        let user = self.0.store.redeem_invitation(&sha256(code), &hash).await?.ok_or(AccountError::WrongCode)?;
        let signed_in = self.open_session(&user, SignInMethod::Link, device, None).await?;
        self.refresh().await;
        Ok(signed_in)
    }

    /// Changes the password of a signed-in user. Ends the other sessions of the user, and gives the current session a
    /// new secret.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`], [`AccountError::Throttled`], [`AccountError::NoPassword`],
    /// [`AccountError::Busy`], [`AccountError::Hash`], [`AccountError::Ended`], or when the database fails.
    pub async fn change_password(
        &self,
        signed_in: &SignedInUser,
        current: &SecretString,
        new: &NewPassword,
        device: &Device,
    ) -> Result<SessionSecret, AccountError> {
        let known = self.0.store.credentials(&signed_in.name.to_lowercase()).await?.ok_or(AccountError::Ended)?;
        let hash = known.password_hash.as_deref().ok_or(AccountError::NoPassword)?;
        let attempt = self.admit(&signed_in.name, device)?;
        let verified = self.0.hasher.verify(current, Some(hash)).await;
        if !verified.inspect_err(|_| self.0.throttle.withdraw(&attempt))? {
            return Err(AccountError::WrongCredentials);
        }
        self.0.throttle.succeeded(&attempt);
        let hash = self.0.hasher.hash(new).await?;
        let (session, secret) = (signed_in.session.id, SessionSecret::generate());
        self.0.store.set_password(signed_in.session.user_id, &hash, Some(session)).await?;
        if !self.0.store.rotate_session(session, &secret.sha256()).await? {
            return Err(AccountError::Ended);
        }
        self.refresh().await;
        Ok(secret)
    }

    /// Sets the password of a user, and ends the user's sessions. Returns `false` if the user does not exist. The
    /// command line uses this function.
    ///
    /// # Errors
    /// [`AccountError::Busy`], [`AccountError::Hash`], or when the database fails.
    pub async fn set_password(&self, user: i64, new: &NewPassword) -> Result<bool, AccountError> {
        let hash = self.0.hasher.hash(new).await?;
        let changed = self.0.store.set_password(user, &hash, None).await?;
        self.refresh().await;
        Ok(changed)
    }

    /// The users whose id is greater than `after`, sorted by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, after: i64, limit: i64) -> Result<Vec<User>, AccountError> {
        Ok(self.0.store.users(after, limit).await?)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: i64) -> Result<Option<User>, AccountError> {
        Ok(self.0.store.user(id).await?)
    }

    /// The user with this name. Case is ignored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_named(&self, name: &str) -> Result<Option<User>, AccountError> {
        Ok(self.0.store.credentials(&name.trim().to_lowercase()).await?.map(|known| known.user))
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`AccountError::Busy`], [`AccountError::Hash`], or when the database fails.
    pub async fn create_user(&self, new: Draft) -> Result<UserCreated, AccountError> {
        let Draft { name, role, password, created_by } = new;
        if self.is_token(&name).await? {
            return Ok(UserCreated::NameTaken);
        }
        let password_hash = match password {
            Some(password) => Some(self.0.hasher.hash(&password).await?),
            None => None,
        };
        let created = self.0.store.create_user(NewUser { name, role, password_hash, created_by }).await?;
        self.refresh().await;
        Ok(created)
    }

    /// Whether a token has this name. A user must not share the name of a token, because the audit log identifies both
    /// by name.
    async fn is_token(&self, name: &ActorName) -> Result<bool, AccountError> {
        let tokens = self.0.store.tokens().await?;
        Ok(tokens.iter().any(|token| token.name.to_lowercase() == name.key()))
    }

    /// Changes a user. Ends the user's sessions if the role changes or the user is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn edit_user(&self, edit: UserEdit) -> Result<UserChanged, AccountError> {
        if let Some(name) = &edit.name
            && self.is_token(name).await?
        {
            return Ok(UserChanged::NameTaken);
        }
        let changed = self.0.store.edit_user(edit).await?;
        self.refresh().await;
        Ok(changed)
    }

    /// Deletes a user with their sessions and tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user(&self, id: i64) -> Result<UserChanged, AccountError> {
        let deleted = self.0.store.delete_user(id).await?;
        self.refresh().await;
        Ok(deleted)
    }

    /// Creates an invitation for a user. The new invitation replaces an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite(&self, user: &User) -> Result<Invitation, AccountError> {
        let code = SessionSecret::generate().expose().to_owned();
        let expires_at = self.0.clock.now() + INVITATION_LIFETIME;
        self.0.store.invite_user(user.id, &sha256(&code), expires_at).await?;
        Ok(Invitation { code, name: user.name.clone(), expires_at })
    }
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The name.
    pub name: ActorName,
    /// What the user may do.
    pub role: UserRole,
    /// The password; `None` for a user who is invited.
    pub password: Option<NewPassword>,
    /// Who creates the user.
    pub created_by: String,
}

/// An invitation that lets a user set a password.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The code, which is not stored.
    pub code: String,
    /// The name of the user.
    pub name: String,
    /// When the invitation expires.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// The link to the dashboard at `url`. The code is in the fragment, which browsers do not send to servers and
    /// proxies.
    pub fn link(&self, url: &str) -> String {
        let name = percent_encoding::utf8_percent_encode(&self.name, percent_encoding::NON_ALPHANUMERIC);
        format!("{}/#invitation={}&name={name}", url.trim_end_matches('/'), self.code)
    }
}
