//! Scopes, and the scopes of each role.

use crate::domain::account::UserRole;

/// A permission. `admin` includes `edit` and `respond`, and `edit` includes `respond`. No other scope includes `read`
/// or `write`: a token with `write` alone cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The WebSocket, and requests that change nothing, such as GET requests and `POST /api/analyze`, unless they
    /// belong to [`Self::Edit`] or [`Self::Admin`].
    Read,
    /// Appending posts.
    Write,
    /// Acknowledgements of alerts, and silences.
    Respond,
    /// Topics, rules, sources, receivers, routes, mute timings, inhibition rules, sending deliveries again, and the
    /// removal of the demonstration.
    Edit,
    /// Users, tokens of others, settings, backups, migrations, the audit log, deletions of posts, replays and purges of
    /// dead letters.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Respond, Self::Edit, Self::Admin];

    /// The name used in tokens and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Respond => "respond",
            Self::Edit => "edit",
            Self::Admin => "admin",
        }
    }

    /// Whether this scope allows what `wanted` allows.
    pub fn includes(self, wanted: Self) -> bool {
        self == wanted
            || match self {
                Self::Admin => matches!(wanted, Self::Edit | Self::Respond),
                Self::Edit => wanted == Self::Respond,
                Self::Read | Self::Write | Self::Respond => false,
            }
    }

    /// Whether changes with this scope are recorded in the audit log. Appended posts (`write`) are not recorded.
    pub fn is_recorded(self) -> bool {
        !matches!(self, Self::Read | Self::Write)
    }

    /// The scopes of a role.
    pub fn of(role: UserRole) -> &'static [Self] {
        match role {
            UserRole::Viewer => &[Self::Read],
            UserRole::Analyst => &[Self::Read, Self::Respond],
            UserRole::Editor => &[Self::Read, Self::Write, Self::Respond, Self::Edit],
            UserRole::Admin => &Self::ALL,
        }
    }
}

/// The error for a text that is not the name of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of read, write, respond, edit, admin")]
pub struct UnknownScope;

impl std::str::FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wider_scopes_include_others() {
        let included = |scope: Scope| Scope::ALL.map(|wanted| scope.includes(wanted));
        assert_eq!(included(Scope::Read), [true, false, false, false, false]);
        assert_eq!(included(Scope::Write), [false, true, false, false, false]);
        assert_eq!(included(Scope::Respond), [false, false, true, false, false]);
        assert_eq!(included(Scope::Edit), [false, false, true, true, false]);
        assert_eq!(included(Scope::Admin), [false, false, true, true, true]);
    }

    #[test]
    fn each_role_has_all_scopes_of_the_previous_role() {
        let roles = [UserRole::Viewer, UserRole::Analyst, UserRole::Editor, UserRole::Admin];
        for pair in roles.windows(2) {
            let (less, more) = (Scope::of(pair[0]), Scope::of(pair[1]));
            assert!(less.iter().all(|scope| more.contains(scope)) && less.len() < more.len(), "{pair:?}");
        }
    }
}
