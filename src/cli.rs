//! The command line. `main` calls [`run`]. Each command has its own file.

mod analyze;
mod backup;
mod completions;
mod dead_letter;
mod demo;
mod doctor;
mod erase;
mod eval;
mod eval_checks;
mod health;
mod import;
mod man;
mod migrate;
mod models;
mod openapi;
mod output;
mod probe;
mod secrets;
mod settings;
mod sign_in;
mod user;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::app;
use crate::clock::Clock;
use crate::config::{Backends, Config, ConfigError, Environment, Inputs, LogFormat, Origin, Settings};
use crate::inference::InferenceError;
use crate::inference::models::HubError;
use crate::telemetry::{self, LogStyle, Metrics};
use crate::topics::QueryError;

/// The configuration file that is read without `--config` if it exists in the working folder.
const DEFAULT_FILE: &str = "sentistream.toml";

/// Real-time sentiment and emotion of social-media posts, in one program.
///
/// Without a command it runs the server: it reads sources, classifies posts, evaluates alert rules, and serves a
/// dashboard, a REST API and a WebSocket on http://127.0.0.1:8000.
#[derive(Parser)]
#[command(name = "sentistream", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = LONG_EXAMPLES)]
struct Cli {
    #[command(flatten)]
    configuration: ConfigurationArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  sentistream                                   serve the dashboard with generated posts
  sentistream demo                              the same with a temporary database
  sentistream analyze \"What a day\"              classify one text
  sentistream import posts.ndjson               append posts, also while a server runs
  sentistream --roles worker                    run workers only, on another machine
  sentistream doctor                            check the installation

`sentistream help COMMAND` describes a command.";

const LONG_EXAMPLES: &str = "\
Examples:
  sentistream                                   serve the dashboard with generated posts
  sentistream demo                              the same with a temporary database
  sentistream analyze \"What a day\"              classify one text
  sentistream import posts.ndjson               append posts, also while a server runs
  sentistream --roles worker                    run workers only, on another machine
  sentistream doctor                            check the installation
  sentistream config --defaults > sentistream.toml

Settings come from the defaults, changes in the dashboard, the file of --config, the environment
(SENTISTREAM__SECTION__KEY, and names such as DATABASE_URL and REDIS_URL), and flags. Later ones
override earlier ones.
`sentistream config` prints each setting with its source.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. Logs go to stderr.

`sentistream help COMMAND` describes a command.";

#[derive(Args)]
#[command(next_help_heading = "Configuration")]
struct ConfigurationArgs {
    /// Read settings from this TOML file instead of ./sentistream.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one setting: --set worker.tasks=4, --set server.listen=0.0.0.0:8000. May be repeated.
    ///
    /// The value is written as in TOML. Strings need no quotes, and the items of a list may be separated by commas.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Run only these roles: ingester, worker, alerts, api, separated by commas.
    #[arg(long, global = true, value_name = "LIST")]
    roles: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until stopped (the default).
    ///
    /// When ready, the server prints one line with its address, or with its roles if it has no address. SIGTERM or
    /// Ctrl-C stops the server within shutdown.grace: running work is finished or released. A second signal stops the
    /// server immediately.
    #[command(after_help = "\
Examples:
  sentistream serve
  sentistream serve --set server.listen=0.0.0.0:8080 --set sources.synthetic.rate=50
  sentistream serve --config prod.toml --roles ingester,alerts,api")]
    Serve,
    Demo(demo::DemoArgs),
    Analyze(analyze::AnalyzeArgs),
    Import(import::ImportArgs),
    Eval(eval::EvalArgs),
    #[command(subcommand)]
    Models(models::ModelsCommand),
    Doctor(doctor::DoctorArgs),
    Health(health::HealthArgs),
    Config(settings::ConfigArgs),
    Migrate(migrate::MigrateArgs),
    Backup(backup::BackupArgs),
    SignIn(sign_in::SignInArgs),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Print the OpenAPI description of the REST API.
    #[command(after_help = "Example:\n  sentistream openapi > openapi.json")]
    Openapi,
    #[command(subcommand)]
    DeadLetter(dead_letter::DeadLetterCommand),
    Erase(erase::EraseArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// The result of a command that ran to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CommandResult {
    /// The command succeeded: exit code 0.
    Good,
    /// The command found a problem: exit code 1.
    Bad,
}

/// The error for arguments with an invalid value or combination: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

/// The configuration and the clock that all commands use.
struct Context {
    config: Config,
    settings: Settings,
    clock: Clock,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // A failure to write to stderr cannot be reported.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    match execute(cli) {
        Ok(CommandResult::Good) => ExitCode::SUCCESS,
        Ok(CommandResult::Bad) => ExitCode::from(1),
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(io::stderr(), "error: {e:#}");
            ExitCode::from(if is_misuse(&e) { 2 } else { 1 })
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<CommandResult> {
    let command = cli.command.unwrap_or(Command::Serve);
    match &command {
        Command::Completions(args) => return completions::run(args, &mut Cli::command()),
        Command::Man(args) => return man::run(args, Cli::command()),
        Command::Openapi => return openapi::run(),
        Command::Config(args) if args.defaults => return settings::print_defaults(),
        _ => {}
    }
    let demo = matches!(command, Command::Demo(_)).then(demo::Folder::create).transpose()?;
    let inputs = match &demo {
        Some(folder) => folder.inputs(cli.configuration.set),
        None => inputs(cli.configuration),
    };
    let (config, settings) = match (Config::load(&inputs), &command) {
        (Ok(loaded), _) => loaded,
        (Err(e), Command::Doctor(args)) => return doctor::misconfigured(args, &e),
        (Err(e), _) => return Err(e.into()),
    };
    init_logs(&command, &config, &settings)?;
    let context = Context { config, settings, clock: Clock::system() };
    on_runtime(command, &context)
}

fn on_runtime(command: Command, context: &Context) -> anyhow::Result<CommandResult> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let verdict = runtime.block_on(async {
        match command {
            Command::Config(args) => settings::run(&args, context).await,
            Command::Analyze(args) => analyze::run(args, context).await,
            Command::Import(args) => import::run(args, context).await,
            Command::Eval(args) => eval::run(args, context).await,
            Command::Models(command) => models::run(command, context).await,
            Command::Doctor(args) => doctor::run(&args, context).await,
            Command::Health(args) => health::run(&args, context).await,
            Command::Backup(args) => backup::run(args, context).await,
            Command::SignIn(sign_in::SignInArgs {}) => sign_in::run(context).await,
            Command::User(command) => user::run(command, context).await,
            Command::Secrets(command) => secrets::run(&command, context).await,
            Command::Migrate(args) => migrate::run(&args, context).await,
            Command::DeadLetter(command) => dead_letter::run(command, context).await,
            Command::Erase(args) => erase::run(args, context).await,
            _ => app::serve(&context.config, Metrics::install()?).await.map(|()| CommandResult::Good),
        }
    });
    // A thread that reads stdin may still be blocked, so the runtime waits only briefly for its threads.
    runtime.shutdown_timeout(Duration::from_millis(200));
    verdict
}

fn inputs(args: ConfigurationArgs) -> Inputs {
    let usual = Some(PathBuf::from(DEFAULT_FILE)).filter(|path| Path::new(path).is_file());
    Inputs { file: args.config.or(usual), environment: Environment::of_process(), sets: args.set, roles: args.roles }
}

/// Commands other than `serve`, `demo` and `models pull` log only warnings and errors, unless a level is configured.
fn init_logs(command: &Command, config: &Config, settings: &Settings) -> anyhow::Result<()> {
    let logs = matches!(command, Command::Serve | Command::Demo(_) | Command::Models(models::ModelsCommand::Pull(_)));
    let quiet = !logs && settings.origin("log.level") == Origin::Default;
    let directives = if quiet { "warn".to_owned() } else { config.log.level.directives() };
    let style = match config.log.format {
        LogFormat::Auto => LogStyle::Auto,
        LogFormat::Human => LogStyle::Human,
        LogFormat::Json => LogStyle::Json,
    };
    Ok(telemetry::init_logs(&directives, style)?)
}

/// Whether an output failed because the program that reads stdout has ended, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<output::OutputError>().is_some_and(|e| broken(&e.0)))
}

/// Fails if the embedded database does not exist: without this check the command would create an empty database and
/// report success. Prints the path, because it may differ from the path that the server uses.
fn require_database(context: &Context) -> Result<(), Misuse> {
    let Backends::Embedded { path } = &context.config.backends else { return Ok(()) };
    if !path.exists() {
        return Err(Misuse(format!(
            "there is no database at {}. To create one there, run `sentistream migrate` with the same settings, then \
             repeat the command. If the server uses another database, name its settings: --config FILE, or --set \
             database.url=sqlite:///PATH",
            effective(path).display()
        )));
    }
    print_database(context);
    Ok(())
}

/// Prints the path of an embedded database to stderr.
fn print_database(context: &Context) {
    if let Backends::Embedded { path } = &context.config.backends {
        // A failure to write to stderr cannot be reported.
        let _ = writeln!(io::stderr(), "database: {}", effective(path).display());
    }
}

/// The absolute path. `..` is resolved only if the folder exists.
fn effective(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

fn is_misuse(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let is_setting = matches!(cause.downcast_ref(), Some(InferenceError::Setting { .. }))
            || cause.downcast_ref().is_some_and(HubError::is_setting);
        is_setting
            || cause.is::<QueryError>()
            || cause.is::<Misuse>()
            || cause.is::<ConfigError>()
            || cause.is::<app::InUse>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
