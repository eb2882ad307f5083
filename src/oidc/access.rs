//! Who may sign in, and with which role.

use std::collections::BTreeMap;

use crate::domain::account::{RoleGrant, UserRole};

use super::{Identity, OidcError};

/// The rules for users of a provider.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The claim that lists the groups of a user. Dots select a claim within a claim: `realm_access.roles`.
    pub groups_claim: String,
    /// The groups that grant each role. A user with several roles gets the highest.
    pub roles: BTreeMap<UserRole, Vec<String>>,
    /// The role of users without a group in `roles`. `None`: these users may not sign in.
    pub default_role: Option<UserRole>,
    /// The allowed domains of verified e-mail addresses. If the list is empty, all users are accepted, also users
    /// without an address.
    pub email_domains: Vec<String>,
}

impl Access {
    /// Whether a sign-in needs the groups of the user.
    pub fn needs_groups(&self) -> bool {
        self.roles.values().any(|groups| !groups.is_empty())
    }

    /// Whether a sign-in needs the e-mail address of the user.
    pub fn needs_email(&self) -> bool {
        !self.email_domains.is_empty()
    }

    /// The role of the user.
    ///
    /// # Errors
    /// When the user may not sign in.
    pub fn grant(&self, identity: &Identity) -> Result<RoleGrant, OidcError> {
        if self.needs_email() && !self.allows_email(identity) {
            return Err(OidcError::Email);
        }
        let highest = self.roles.iter().rev().find(|(_, groups)| {
            // Names of groups are compared exactly: providers may distinguish upper and lower case.
            groups.iter().any(|group| identity.groups.contains(group))
        });
        let role = highest.map(|(role, _)| *role).or(self.default_role).ok_or(OidcError::NoRole)?;
        Ok(if self.needs_groups() { RoleGrant::Always(role) } else { RoleGrant::Initially(role) })
    }

    fn allows_email(&self, identity: &Identity) -> bool {
        let domain = identity.email.as_ref().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
        identity.email_verified
            && domain
                .is_some_and(|domain| self.email_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(groups: &[&str], email: Option<&str>) -> Identity {
        Identity {
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            email: email.map(str::to_owned),
            email_verified: true,
            ..Identity::default()
        }
    }

    fn access() -> Access {
        let groups = |groups: &[&str]| groups.iter().map(|group| (*group).to_owned()).collect();
        Access {
            groups_claim: "groups".to_owned(),
            roles: [(UserRole::Viewer, groups(&["staff"])), (UserRole::Admin, groups(&["ops", "root"]))].into(),
            default_role: None,
            email_domains: Vec::new(),
        }
    }

    #[test]
    fn highest_role_of_all_groups_is_granted() {
        let access = access();
        let role = |groups: &[&str]| access.grant(&identity(groups, None));
        assert_eq!(role(&["root", "staff"]), Ok(RoleGrant::Always(UserRole::Admin)));
        assert_eq!(role(&["staff", "other"]), Ok(RoleGrant::Always(UserRole::Viewer)));
        assert_eq!(role(&["Staff", "operations"]), Err(OidcError::NoRole));
        let open = Access { default_role: Some(UserRole::Analyst), ..access.clone() };
        assert_eq!(open.grant(&identity(&[], None)), Ok(RoleGrant::Always(UserRole::Analyst)));
        let unmapped = Access { roles: BTreeMap::new(), ..open };
        assert_eq!(unmapped.grant(&identity(&[], None)), Ok(RoleGrant::Initially(UserRole::Analyst)));
    }

    #[test]
    fn email_must_be_verified_and_of_an_allowed_domain() {
        let access = Access { email_domains: vec!["example.org".to_owned()], ..access() };
        let of = |email: Option<&str>| access.grant(&identity(&["ops"], email)).is_ok();
        assert!(of(Some("ada@example.org")) && of(Some("ada@EXAMPLE.org")));
        for email in [None, Some("ada@sub.example.org"), Some("ada@example.org.evil.net"), Some("example.org")] {
            assert!(!of(email), "{email:?}");
        }
        let unverified = Identity { email_verified: false, ..identity(&["ops"], Some("ada@example.org")) };
        assert_eq!(access.grant(&unverified), Err(OidcError::Email));
    }
}
