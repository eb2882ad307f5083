//! The command `sentistream user`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::output::{Output, one_line};
use super::{CommandResult, Context, Misuse, require_database};
use crate::accounts::password::NewPassword;
use crate::accounts::{Accounts, Draft, SessionOptions};
use crate::app;
use crate::domain::Timestamp;
use crate::domain::account::{ActorName, User, UserRole};
use crate::http::auth::COMMAND_LINE;
use crate::store::Store;
use crate::store::accounts::{UserChanged, UserCreated, UserEdit};
use crate::store::security::SecurityEvent;

/// The number of users per read.
const PAGE: i64 = 500;
/// The maximum number of bytes that are read of a password file.
const MAX_PASSWORD_FILE: u64 = 4_096;

/// Manage the people who may sign in to the dashboard.
///
/// These commands can be used while the server runs. As soon as a user exists, every request needs credentials, also on
/// loopback. The first user must be an administrator.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  sentistream user add ada --role admin
  sentistream user add bob --role viewer --password-file -
  sentistream user list
  sentistream user role bob editor
  sentistream user password bob
  sentistream user disable bob")]
pub enum UserCommand {
    /// Add a user. Without a password file, print a link that lets the user set a password once, within 3 days.
    Add(AddArgs),
    /// List the users.
    List(ListArgs),
    /// Change the role of a user, and end the user's sessions.
    Role(RoleArgs),
    /// Set a new password, or print a link that lets the user set a password.
    Password(PasswordArgs),
    /// Prevent a user from signing in, and end the user's sessions.
    Disable(NameArgs),
    /// Let a disabled user sign in again.
    Enable(NameArgs),
    /// Delete a user with their sessions and tokens.
    Delete(NameArgs),
}

/// Arguments of `add`.
#[derive(Args)]
pub struct AddArgs {
    /// The name to sign in with.
    name: String,
    /// viewer, analyst, editor or admin.
    #[arg(long)]
    role: UserRole,
    /// Read the password from this file, or from stdin for `-`.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Arguments of `list`.
#[derive(Args)]
pub struct ListArgs {
    /// Print one JSON object per user.
    #[arg(long)]
    json: bool,
}

/// Arguments of `role`.
#[derive(Args)]
pub struct RoleArgs {
    /// The name of the user.
    name: String,
    /// viewer, analyst, editor or admin.
    role: UserRole,
}

/// Arguments of `password`.
#[derive(Args)]
pub struct PasswordArgs {
    /// The name of the user.
    name: String,
    /// Read the password from this file, or from stdin for `-`. Without this flag, print a link.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// The name of a user.
#[derive(Args)]
pub struct NameArgs {
    /// The name of the user.
    name: String,
}

/// A user as `list --json` prints it.
#[derive(Serialize)]
struct Row {
    id: i64,
    name: String,
    role: UserRole,
    disabled: bool,
    has_password: bool,
    provider: Option<String>,
    created_at: Timestamp,
    last_sign_in_at: Option<Timestamp>,
}

impl From<User> for Row {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            name: user.name,
            role: user.role,
            disabled: user.disabled,
            has_password: user.has_password,
            provider: user.identity.map(|identity| identity.issuer),
            created_at: user.created_at,
            last_sign_in_at: user.last_sign_in_at,
        }
    }
}

/// The users of the configured database.
struct Users<'a> {
    context: &'a Context,
    store: Store,
    accounts: Accounts,
}

/// Runs the command.
pub async fn run(command: UserCommand, context: &Context) -> anyhow::Result<CommandResult> {
    require_database(context)?;
    let store = app::open_store(&context.config, context.clock.clone())?;
    let accounts = Accounts::new(store.clone(), context.clock.clone(), SessionOptions::default());
    let users = Users { context, store, accounts };
    let mut output = Output::new();
    match command {
        UserCommand::Add(args) => users.add(args, &mut output).await?,
        UserCommand::List(args) => users.list(&args, &mut output).await?,
        UserCommand::Role(RoleArgs { name, role }) => {
            let user = users.edit("role", &name, |edit| edit.role = Some(role)).await?;
            output.line(format!("{} has the role {}", user.name, user.role))?;
        }
        UserCommand::Password(args) => users.password(&args, &mut output).await?,
        UserCommand::Disable(NameArgs { name }) => {
            let user = users.edit("disable", &name, |edit| edit.disabled = Some(true)).await?;
            output.line(format!("disabled {}", user.name))?;
        }
        UserCommand::Enable(NameArgs { name }) => {
            let user = users.edit("enable", &name, |edit| edit.disabled = Some(false)).await?;
            output.line(format!("enabled {}", user.name))?;
        }
        UserCommand::Delete(NameArgs { name }) => {
            let user = users.named(&name).await?;
            let deleted = done(users.accounts.delete_user(user.id).await?, &name)?;
            users.record("delete", &deleted).await?;
            output.line(format!("deleted {}", deleted.name))?;
        }
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

impl Users<'_> {
    async fn add(&self, args: AddArgs, output: &mut Output) -> anyhow::Result<()> {
        let name = ActorName::parse(&args.name).map_err(|error| Misuse(format!("the name {error}")))?;
        let password = args.password_file.as_deref().map(|path| password(path, &args.name)).transpose()?;
        let is_invited = password.is_none();
        let draft = Draft { name, role: args.role, password, created_by: COMMAND_LINE.to_owned() };
        let user = match self.accounts.create_user(draft).await? {
            UserCreated::Done(user) => *user,
            UserCreated::NameTaken => {
                return Err(Misuse(format!("{:?} is the name of another user or of a token", args.name)).into());
            }
            UserCreated::NeedsAdmin => return Err(Misuse("the first user must have --role admin".to_owned()).into()),
        };
        self.record("add", &user).await?;
        output.line(format!("added {} with the role {}", user.name, user.role))?;
        if is_invited {
            self.invite(&user, output).await?;
        }
        Ok(())
    }

    async fn list(&self, args: &ListArgs, output: &mut Output) -> anyhow::Result<()> {
        let mut rows = vec![["NAME", "ROLE", "STATE", "LAST SIGN-IN"].map(str::to_owned)];
        let mut after = 0;
        loop {
            let page = self.accounts.users(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for user in page {
                if args.json {
                    output.json_line(&Row::from(user))?;
                } else {
                    let seen = user.last_sign_in_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
                    rows.push([one_line(&user.name, 40), user.role.to_string(), state(&user).to_owned(), seen]);
                }
            }
        }
        if !args.json {
            output.table(&rows)?;
        }
        Ok(())
    }

    async fn password(&self, args: &PasswordArgs, output: &mut Output) -> anyhow::Result<()> {
        let user = self.named(&args.name).await?;
        if let Some(identity) = &user.identity {
            return Err(Misuse(format!("{} signs in with {} and has no password", user.name, identity.issuer)).into());
        }
        let Some(path) = &args.password_file else { return self.invite(&user, output).await };
        let new = password(path, &user.name)?;
        self.accounts.set_password(user.id, &new).await?;
        self.record("password", &user).await?;
        output.line(format!("changed the password of {} and ended the user's sessions", user.name))?;
        Ok(())
    }

    async fn invite(&self, user: &User, output: &mut Output) -> anyhow::Result<()> {
        let invitation = self.accounts.invite(user).await?;
        self.record("invitation", user).await?;
        output.line(format!("{} can set a password here (the link works once, within 3 days):", user.name))?;
        output.line(invitation.link(&app::external_url(&self.context.config)))?;
        Ok(())
    }

    async fn edit(&self, action: &str, name: &str, change: impl FnOnce(&mut UserEdit)) -> anyhow::Result<User> {
        let id = self.named(name).await?.id;
        let mut edit = UserEdit { id, version: None, name: None, role: None, disabled: None };
        change(&mut edit);
        let user = done(self.accounts.edit_user(edit).await?, name)?;
        self.record(action, &user).await?;
        Ok(user)
    }

    async fn named(&self, name: &str) -> anyhow::Result<User> {
        let missing = || Misuse(format!("there is no user {name:?}; `sentistream user list` lists all users"));
        Ok(self.accounts.user_named(name).await?.ok_or_else(missing)?)
    }

    /// Adds the change to the audit log of the server.
    async fn record(&self, action: &str, user: &User) -> anyhow::Result<()> {
        let event = SecurityEvent {
            at: self.context.clock.now(),
            actor: COMMAND_LINE.to_owned(),
            outcome: "allowed".to_owned(),
            action: format!("sentistream user {action}"),
            target: format!("/api/users/{}", user.id),
            ..SecurityEvent::default()
        };
        Ok(self.store.record_security(&[event]).await?)
    }
}

fn state(user: &User) -> &'static str {
    match user {
        User { disabled: true, .. } => "disabled",
        User { has_password: false, identity: None, .. } => "invited",
        _ => "active",
    }
}

fn done(changed: UserChanged, name: &str) -> anyhow::Result<User> {
    let message = match changed {
        UserChanged::Done(user) => return Ok(*user),
        UserChanged::Missing | UserChanged::Stale => {
            format!("the user {name:?} was just changed or deleted; repeat the command")
        }
        UserChanged::NameTaken => format!("{name:?} is the name of another user or of a token"),
        UserChanged::LastAdmin => {
            format!("{name} is the last administrator who can sign in: add another administrator first")
        }
    };
    Err(Misuse(message).into())
}

/// The password in the file, or from stdin for `-`, without the line break at its end.
fn password(path: &Path, name: &str) -> anyhow::Result<NewPassword> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_PASSWORD_FILE).read_to_string(&mut text).context("cannot read stdin")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(MAX_PASSWORD_FILE)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    let secret = SecretString::from(text);
    let line = secret.expose_secret().trim_end_matches(['\r', '\n']);
    let password = NewPassword::parse(&SecretString::from(line), name);
    Ok(password.map_err(|error| Misuse(format!("the password {error}")))?)
}
