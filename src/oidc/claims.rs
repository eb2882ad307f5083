//! The claims of a provider about a person.

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, UserInfoClaims};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The maximum length of `sub` (OpenID Connect Core, section 2).
const MAX_SUBJECT: usize = 255;

/// A person at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The identifier of the provider.
    pub issuer: String,
    /// The identifier of the person, unique at the provider and never reassigned.
    pub subject: String,
    /// Names for display, the preferred one first.
    pub names: Vec<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the provider has verified the e-mail address.
    pub email_verified: bool,
    /// The groups of the person.
    pub groups: Vec<String>,
}

/// The claims that OpenID Connect does not define.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Extra {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Extra {}

impl Extra {
    /// The values of the claim `name`: the text itself, the texts of a list, or the keys of an object. `None` when the
    /// claim is missing or has another type.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        match find(&self.all, name)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            Value::Object(fields) => Some(fields.keys().cloned().collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
}

/// The claim `name`. If there is none, `name` is the path of a nested claim, such as `realm_access.roles`. Only the
/// last name of a path may contain dots.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let within = || {
        let (first, rest) = name.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    };
    claims.get(name).or_else(within)
}

/// The claims of a checked ID token.
pub type Claims = IdTokenClaims<Extra, CoreGenderClaim>;
/// The claims of the userinfo endpoint.
pub type UserInfo = UserInfoClaims<Extra, CoreGenderClaim>;

/// Whether `subject` can identify a person.
pub fn is_subject(subject: &str) -> bool {
    (1..=MAX_SUBJECT).contains(&subject.len()) && crate::domain::visible::is_visible(subject)
}

/// Reads the parts of an identity from claims. A macro, because the claims of ID tokens and of userinfo have the same
/// methods, but no common trait.
macro_rules! parts_of {
    ($claims:expr, $groups_claim:expr) => {{
        let (claims, groups_claim) = ($claims, $groups_claim);
        Partial {
            username: claims.preferred_username().map(|name| name.as_str().to_owned()),
            name: claims.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()),
            email: claims.email().map(|email| email.as_str().to_owned()),
            email_verified: claims.email_verified(),
            groups: claims.additional_claims().list(groups_claim),
        }
    }};
}

/// The parts of an identity in an ID token.
pub fn of_id_token(claims: &Claims, groups_claim: &str) -> Partial {
    parts_of!(claims, groups_claim)
}

/// The parts of an identity in the answer of the userinfo endpoint.
pub fn of_user_info(claims: &UserInfo, groups_claim: &str) -> Partial {
    parts_of!(claims, groups_claim)
}

/// The parts of an identity that one answer contains.
#[derive(Clone, Debug, Default)]
pub struct Partial {
    username: Option<String>,
    name: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    /// The groups of the person; `None` when the claim is missing or has another type than a text, a list or an object.
    pub groups: Option<Vec<String>>,
}

impl Partial {
    /// Whether there is an e-mail address.
    pub fn has_email(&self) -> bool {
        self.email.is_some()
    }

    /// Whether there is a name for display.
    pub fn has_name(&self) -> bool {
        self.username.is_some() || self.name.is_some() || self.email.is_some()
    }

    /// These parts. Parts that are missing are taken from `other`.
    pub fn or(self, other: Self) -> Self {
        // The address and its verification are taken from the same answer.
        let (email, email_verified) = match self.email {
            Some(email) => (Some(email), self.email_verified),
            None => (other.email, other.email_verified),
        };
        Self {
            username: self.username.or(other.username),
            name: self.name.or(other.name),
            email,
            email_verified,
            groups: self.groups.or(other.groups),
        }
    }

    /// The identity of the person `subject` of `issuer`.
    pub fn identity(self, issuer: String, subject: String) -> Identity {
        let names = [self.username, self.email.clone(), self.name];
        Identity {
            issuer,
            subject,
            names: names.into_iter().flatten().collect(),
            email: self.email,
            email_verified: self.email_verified.unwrap_or(false),
            groups: self.groups.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(claims: Value) -> Extra {
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn groups_are_found_in_lists_texts_objects_and_nested_claims() {
        let claims = extra(serde_json::json!({
            "groups": ["a", 7, "b"],
            "role": "c",
            "https://example.org/groups": ["d"],
            "realm_access": {"roles": ["e"]},
            "project.roles": {"f": {"id": 1}},
            "count": 3,
        }));
        let found = |name: &str| claims.list(name).map(|groups| groups.join(","));
        assert_eq!(found("groups").as_deref(), Some("a,b"));
        assert_eq!(found("role").as_deref(), Some("c"));
        assert_eq!(found("https://example.org/groups").as_deref(), Some("d"));
        assert_eq!(found("realm_access.roles").as_deref(), Some("e"));
        assert_eq!(found("project.roles").as_deref(), Some("f"));
        for missing in ["other", "count", "realm_access.other", "groups.x", ""] {
            assert_eq!(found(missing), None, "{missing}");
        }
    }

    #[test]
    fn verification_of_one_address_does_not_apply_to_another() {
        let token = Partial { email: Some("a@example.org".to_owned()), ..Partial::default() };
        let info =
            Partial { email: Some("b@example.org".to_owned()), email_verified: Some(true), ..Partial::default() };
        let identity = token.or(info).identity("i".to_owned(), "s".to_owned());
        assert_eq!((identity.email.as_deref(), identity.email_verified), (Some("a@example.org"), false));
    }
}
