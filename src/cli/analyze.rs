//! The command `sentistream analyze`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::output::{Output, OutputError, one_line};
use super::{CommandResult, Context, Misuse};
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
    /// The texts. Without texts and without --file, each line of stdin is a text, except blank lines.
    texts: Vec<String>,
    /// Read one text per line of this file, or of stdin for `-`; blank lines are skipped.
    #[arg(long, short, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// Print one JSON object per text, with the scores of all classes.
    #[arg(long)]
    json: bool,
    /// Show the contribution of each word, or of each group of words in a long text: how much the scores of the labels
    /// decrease without it. Without --json, at most eight contributions per text are shown.
    #[arg(long)]
    explain: bool,
}

/// The maximum number of texts in one call of the classifier.
const CHUNK: usize = 256;
/// When the texts read so far exceed this many bytes, they are classified before more texts are read.
const CHUNK_BYTES: usize = 1 << 20;
/// The maximum number of bytes that are read of a line, which is enough for one character more than a post may have.
/// The rest of the line is skipped.
const MAX_LINE_BYTES: usize = 4 * (MAX_CONTENT_CHARS + 1);
/// The maximum length of a text in the table, in characters.
const SHOWN_CHARS: usize = 100;
/// The maximum number of words in the explanation below a row.
const SHOWN_WORDS: usize = 8;

/// Classifies the texts and prints the results.
pub async fn run(args: AnalyzeArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let mut texts = source(&args)?;
    let classifier = app::load_command_classifier(&context.config).await?;
    let mut output = Output::new();
    loop {
        let chunk = next_chunk(&mut texts)?;
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
    Ok(CommandResult::Good)
}

fn next_chunk(texts: &mut Texts) -> anyhow::Result<Vec<String>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while chunk.len() < CHUNK && bytes < CHUNK_BYTES {
        let Some(text) = texts.next() else { break };
        let text = text?;
        bytes += text.len();
        chunk.push(text);
    }
    Ok(chunk)
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

fn lines(mut input: Box<dyn BufRead + Send>, name: String) -> impl Iterator<Item = anyhow::Result<String>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let line = read_line(&mut *input).with_context(|| format!("{name}, line {number}: cannot be read as text"));
            match line.transpose()? {
                Ok(line) if line.trim().is_empty() => {}
                line => return Some(line),
            }
        }
    })
}

/// The next line without its line break, cut to [`MAX_LINE_BYTES`].
fn read_line(input: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if (&mut *input).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        line.pop_if(|last| *last == b'\r');
    } else if line.len() == MAX_LINE_BYTES {
        input.skip_until(b'\n')?;
        // The cut may be inside a character, so an incomplete character at the end is removed.
        let whole = std::str::from_utf8(&line).map_or_else(|error| error.valid_up_to(), str::len);
        if line.len() - whole < 4 {
            line.truncate(whole);
        }
    }
    String::from_utf8(line).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// The classification in the format of `POST /api/analyze`, with the text.
#[derive(Serialize)]
struct Classified {
    text: String,
    #[serde(flatten)]
    analysis: AnalysisView,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Texts {
        Box::new(lines(Box::new(io::Cursor::new(text.to_owned().into_bytes())), "a file".to_owned()))
    }

    #[test]
    fn long_line_is_cut_and_the_next_one_is_whole() {
        let long = "ä".repeat(MAX_LINE_BYTES);
        let texts: Vec<String> = read(&format!("one\r\n\n{long}\ntwo")).collect::<Result<_, _>>().unwrap();
        assert_eq!((texts[0].as_str(), texts[2].as_str(), texts.len()), ("one", "two", 3));
        assert_eq!(texts[1].len(), MAX_LINE_BYTES);
        let shifted: Vec<String> = read(&format!("a{long}")).collect::<Result<_, _>>().unwrap();
        assert_eq!((shifted.len(), shifted[0].len()), (1, MAX_LINE_BYTES - 1));
    }

    #[test]
    fn chunk_of_long_lines_is_bounded_in_bytes() {
        let mut texts = read(&format!("{}\n", "a".repeat(200_000)).repeat(CHUNK));
        let chunk = next_chunk(&mut texts).unwrap();
        assert!(chunk.iter().map(String::len).sum::<usize>() < CHUNK_BYTES + MAX_LINE_BYTES);
        assert_eq!(next_chunk(&mut read(&"a\n".repeat(CHUNK + 1))).unwrap().len(), CHUNK);
    }

    #[test]
    fn error_names_the_line_with_invalid_utf8() {
        let mut bytes = b"fine\n".to_vec();
        bytes.extend([0xff, b'\n']);
        let mut texts = lines(Box::new(io::Cursor::new(bytes)), "a file".to_owned());
        assert_eq!(texts.next().unwrap().unwrap(), "fine");
        let error = format!("{:#}", texts.next().unwrap().unwrap_err());
        assert!(error.starts_with("a file, line 2: cannot be read as text"), "{error}");
    }
}
