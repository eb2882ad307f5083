//! `sentistream analyze`

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::output::{Output, OutputError, one_line};
use super::{Context, Misuse, Verdict};
use crate::app;
use crate::domain::op::preview;
use crate::domain::post::MAX_CONTENT_CHARS;
use crate::http::analyze::AnalysisView;
use crate::inference::{SharedClassifier, explain};

/// Classify texts: sentiment, confidence and emotion of each.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream analyze \"I love this phone\" \"It broke again\"
  sentistream analyze --file comments.txt --json > analyses.ndjson
  head comments.txt | sentistream analyze
  sentistream analyze --explain \"The screen is great but it broke\"")]
pub struct AnalyzeArgs {
    /// The texts. Without texts and --file, each line of stdin is a text.
    texts: Vec<String>,
    /// Read one text per line of this file, or of stdin for `-`; blank lines are skipped.
    #[arg(long, short, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// One JSON object per text, with the scores of all classes.
    #[arg(long)]
    json: bool,
    /// Show the contribution of each word: how much the scores of the labels decrease without it.
    #[arg(long)]
    explain: bool,
}

/// The maximum number of texts per call of the classifier.
const CHUNK: usize = 256;
/// The maximum length of a text in the table, in characters.
const SHOWN_CHARS: usize = 100;
/// The maximum number of words in the explanation below a row.
const SHOWN_WORDS: usize = 8;

/// Classifies and prints.
pub async fn run(args: AnalyzeArgs, context: &Context) -> anyhow::Result<Verdict> {
    let mut texts = source(&args)?;
    let classifier = app::load_command_classifier(&context.config).await?;
    let mut output = Output::new();
    loop {
        let chunk: Vec<String> = texts.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        for (text, analysis) in classify(&classifier, chunk, args.explain).await? {
            match args.json {
                true => output.json_line(&Classified { text, analysis })?,
                false => show(&text, &analysis, &mut output)?,
            }
        }
        output.flush()?;
    }
    Ok(Verdict::Good)
}

async fn classify(
    classifier: &SharedClassifier,
    texts: Vec<String>,
    explained: bool,
) -> anyhow::Result<Vec<(String, AnalysisView)>> {
    // Texts are cut to the limit of a post, so that a long line cannot use up the memory.
    let read: Vec<String> = texts.iter().map(|text| preview(text, MAX_CONTENT_CHARS).to_owned()).collect();
    let cut: Vec<bool> = texts.iter().zip(&read).map(|(text, read)| read.len() < text.len()).collect();
    let mut views = Vec::with_capacity(texts.len());
    if explained {
        for text in &read {
            views.push(AnalysisView::explained(explain(&**classifier, text).await?));
        }
    } else {
        views.extend(classifier.classify(read).await?.into_iter().map(AnalysisView::from));
    }
    for (view, cut) in views.iter_mut().zip(cut) {
        view.truncated |= cut;
    }
    Ok(texts.into_iter().zip(views).collect())
}

fn show(text: &str, analysis: &AnalysisView, output: &mut Output) -> Result<(), OutputError> {
    output.line(format!(
        "{:<8}  {:>4.0} %  {:<8}  {}",
        analysis.label,
        analysis.confidence * 100.0,
        analysis.emotion,
        one_line(text, SHOWN_CHARS)
    ))?;
    let mut words: Vec<_> = analysis.explanation.iter().flat_map(|explanation| &explanation.words).collect();
    words.sort_by(|a, b| b.sentiment.abs().total_cmp(&a.sentiment.abs()));
    for word in words.iter().take(SHOWN_WORDS) {
        let (label, emotion) = (analysis.label, analysis.emotion);
        let shown = one_line(&word.text, SHOWN_CHARS);
        output.line(format!("    {:+.3} {label}  {:+.3} {emotion}  {shown}", word.sentiment, word.emotion))?;
    }
    Ok(())
}

type Texts = Box<dyn Iterator<Item = anyhow::Result<String>>>;

fn source(args: &AnalyzeArgs) -> anyhow::Result<Texts> {
    let given = args.texts.clone().into_iter().map(Ok);
    match &args.file {
        Some(path) => Ok(Box::new(given.chain(lines(open(path)?, path.display().to_string())))),
        None if !args.texts.is_empty() => Ok(Box::new(given)),
        None if io::stdin().is_terminal() => {
            Err(Misuse("pass texts, --file FILE, or lines on stdin (see `sentistream help analyze`)".to_owned()).into())
        }
        None => Ok(Box::new(lines(open(Path::new("-"))?, "stdin".to_owned()))),
    }
}

/// The file at `path`, or stdin for `-`.
pub fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

fn lines(input: Box<dyn BufRead + Send>, name: String) -> impl Iterator<Item = anyhow::Result<String>> {
    let numbered = input.lines().enumerate();
    let read = move |(index, line): (usize, io::Result<String>)| {
        line.with_context(|| format!("{name}, line {}: cannot be read as text", index + 1))
    };
    numbered.map(read).filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()))
}

/// The response of `POST /api/analyze`, with the text.
#[derive(Serialize)]
struct Classified {
    text: String,
    #[serde(flatten)]
    analysis: AnalysisView,
}
