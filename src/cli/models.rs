//! The command `sentistream models`.

use clap::{Args, Subcommand};

use super::output::Output;
use super::{CommandResult, Context, Misuse};
use crate::app;
use crate::config::{InvalidSetting, ModelRef};
use crate::inference::ModelSource;
use crate::inference::catalogue::{KNOWN, by_alias};
use crate::inference::models::{self, Description};

/// List models, download one from the Hugging Face Hub, or describe one.
///
/// A model is a DistilBERT, BERT, RoBERTa or XLM-RoBERTa sequence classifier. Models of the Hub are stored in
/// inference.hub.home and need no network after the download. `list` also shows known models of the Hub, and what these
/// models are suited for.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  sentistream models list
  sentistream models pull tweets-multilingual
  sentistream models pull cardiffnlp/twitter-roberta-base-sentiment-latest
  sentistream models show hf:cardiffnlp/twitter-roberta-base-sentiment-latest
  sentistream models show ./my-model")]
pub enum ModelsCommand {
    /// List the builtin model, downloaded models, configured folders, and known models of the Hub.
    List(ListArgs),
    /// Download a model of the Hub, or update it.
    Pull(PullArgs),
    /// Show the architecture and the classes of a model; by default, of the configured model.
    Show(ShowArgs),
}

/// Arguments of `list`.
#[derive(Args)]
pub struct ListArgs {
    /// Print JSON. Without --known, print only the models on this machine.
    #[arg(long)]
    json: bool,
    /// List only known models of the Hub, with their languages, size and licence.
    #[arg(long)]
    known: bool,
}

/// Arguments of `pull`.
#[derive(Args)]
pub struct PullArgs {
    /// OWNER/NAME[@REVISION], with or without the prefix `hf:`, or a short name from `models list`.
    name: String,
}

/// Arguments of `show`.
#[derive(Args)]
pub struct ShowArgs {
    /// `builtin`, a folder, or hf:OWNER/NAME[@REVISION].
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(command: ModelsCommand, context: &Context) -> anyhow::Result<CommandResult> {
    let options = app::inference_options(&context.config)?;
    match command {
        ModelsCommand::List(args) if args.known => {
            let mut output = Output::new();
            match args.json {
                true => output.json(&KNOWN)?,
                false => print_known(&mut output)?,
            }
            output.flush()?;
            Ok(CommandResult::Good)
        }
        ModelsCommand::List(args) => {
            let available = tokio::task::spawn_blocking(move || (models::available(&options), options)).await?;
            list(&args, available)
        }
        ModelsCommand::Pull(args) => {
            let name = args.name.strip_prefix("hf:").unwrap_or(&args.name);
            let name = by_alias(name).map_or(name, |known| known.repository);
            let source = source(&format!("hf:{name}"))?;
            let ModelSource::Hub(model) = source.clone() else {
                return Err(Misuse("expected a model of the Hub: OWNER/NAME[@REVISION]".into()).into());
            };
            let pulled = tokio::task::spawn_blocking(move || {
                let snapshot = models::pull(&model, &options.hub)?;
                anyhow::Ok((snapshot, models::describe(&source, &options)?))
            });
            let (snapshot, description) = pulled.await??;
            let mut output = Output::new();
            output.line(format!(
                "pulled {} ({}) to {}",
                description.name,
                snapshot.commit,
                snapshot.folder.display()
            ))?;
            print_heads(&description, &mut output)?;
            for warning in &description.warnings {
                output.line(format!("warning: {warning}"))?;
            }
            output.line(format!("to use the model for all posts: --set inference.model={}", description.model))?;
            output.line("to use the model for some languages, write into the configuration file:")?;
            output.line(route_block(&description))?;
            output.flush()?;
            Ok(CommandResult::Good)
        }
        ModelsCommand::Show(args) => {
            let source = match &args.name {
                Some(name) => source(name)?,
                None => options.model.clone(),
            };
            let description = tokio::task::spawn_blocking(move || models::describe(&source, &options)).await??;
            show(&args, &description)
        }
    }
}

fn source(name: &str) -> anyhow::Result<ModelSource> {
    let reference: ModelRef = name.parse().map_err(|error: InvalidSetting| Misuse(error.to_string()))?;
    Ok(app::model_source(&reference))
}

fn list(
    args: &ListArgs,
    (available, options): (Vec<models::Available>, crate::inference::InferenceOptions),
) -> anyhow::Result<CommandResult> {
    let mut output = Output::new();
    if args.json {
        output.json(&available)?;
        output.flush()?;
        return Ok(CommandResult::Good);
    }
    let in_use = |model: &str| {
        let named = [Some(&options.model), options.emotion_model.as_ref()];
        named.into_iter().flatten().any(|source| source.to_string() == model)
    };
    let mut rows = vec![["model", "architecture", "commit", "state"].map(str::to_owned)];
    for model in available {
        let state = match model.problem {
            Some(problem) => problem,
            None if in_use(&model.model) => "in use".to_owned(),
            None => "ready".to_owned(),
        };
        rows.push([
            model.model,
            model.architecture.unwrap_or_default(),
            model.commit.unwrap_or_default().chars().take(12).collect(),
            state,
        ]);
    }
    output.table(&rows)?;
    output.line("\nKnown models of the Hub (sentistream models pull NAME):\n")?;
    print_known(&mut output)?;
    output.flush()?;
    Ok(CommandResult::Good)
}

fn print_known(output: &mut Output) -> anyhow::Result<()> {
    let mut rows = vec![["name", "model", "download", "licence", "languages", "suited for"].map(str::to_owned)];
    rows.extend(KNOWN.iter().map(|known| {
        [
            known.alias.to_owned(),
            format!("hf:{}", known.repository),
            format!("{} MB", known.download_mb),
            known.licence.to_owned(),
            known.languages.join(" "),
            known.suited_for.to_owned(),
        ]
    }));
    Ok(output.table(&rows)?)
}

/// The configuration that routes posts in the languages of the model to the model. English posts are still classified
/// by the main model. If no other language of the model is known, the configuration names German as an example.
fn route_block(model: &Description) -> String {
    let known = KNOWN.iter().find(|known| model.model == format!("hf:{}", known.repository));
    let declared: Vec<&str> = match known {
        Some(known) => known.languages.to_vec(),
        None => model.languages.iter().map(String::as_str).collect(),
    };
    let mut languages: Vec<String> =
        declared.iter().filter(|lang| **lang != "en").map(|lang| format!("\"{lang}\"")).collect();
    if languages.is_empty() {
        languages.push("\"de\"".to_owned());
    }
    format!("  [[inference.routes]]\n  languages = [{}]\n  model = \"{}\"", languages.join(", "), model.model)
}

fn show(args: &ShowArgs, model: &Description) -> anyhow::Result<CommandResult> {
    let mut output = Output::new();
    if args.json {
        output.json(model)?;
        output.flush()?;
        return Ok(CommandResult::Good);
    }
    output.line(format!("{}: {}", model.model, model.name))?;
    if let Some(folder) = &model.folder {
        output.line(format!("folder: {}", folder.display()))?;
    }
    output.line(format!(
        "{}, {} layers of {}, {} heads, {:.1} million weights, a vocabulary of {} tokens, texts of at most {} tokens",
        model.architecture,
        model.layers,
        model.width,
        model.attention_heads,
        model.parameters as f64 / 1e6,
        model.vocabulary,
        model.max_tokens
    ))?;
    print_heads(model, &mut output)?;
    for warning in &model.warnings {
        output.line(format!("warning: {warning}"))?;
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

/// Prints the classes of each head, and its calibration.
fn print_heads(model: &Description, output: &mut Output) -> anyhow::Result<()> {
    for head in &model.heads {
        let classes = head.classes.iter().map(|(class, meaning)| match meaning {
            Some(meaning) if *meaning == class.to_lowercase() => class.clone(),
            Some(meaning) => format!("{class} → {meaning}"),
            None => class.clone(),
        });
        let classes = classes.collect::<Vec<_>>().join(", ");
        match &head.problem {
            Some(problem) => output.line(format!("the classes of a head are {classes}: {problem}"))?,
            None => output.line(format!("{}: {classes}", head.classifies.unwrap_or_default()))?,
        }
        let fit = match head.classifies {
            Some("sentiment") => &model.calibration.sentiment,
            Some("emotion") => &model.calibration.emotion,
            _ => &None,
        };
        if let Some(fit) = fit {
            output.line(format!(
                "  calibrated: temperature {}, calibration error {:.4} instead of {:.4}",
                fit.temperature, fit.ece_after, fit.ece_before
            ))?;
        }
    }
    Ok(())
}
