//! Untrusted model files: safetensors, pickle, tokenizers, configurations.

use std::path::{Path, PathBuf};

use sentistream::inference::{Engine, InferenceOptions, ModelSource};

use super::{cases, mutator};

/// The number of bytes at the start of a file that are mutated. They contain the structure of the file. The other bytes
/// are weights.
const HEAD: usize = 8_192;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
    ["bert", "bert-old", "distilbert", "xlm-roberta"].map(|name| root.join(name)).to_vec()
}

#[test]
fn any_model_is_loaded_or_refused() {
    let mut mutator = mutator("model");
    let folders = folders();
    for case in 0..cases(60) {
        let folder = &folders[case as usize % folders.len()];
        let copy = tempfile::tempdir().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let victim = mutator.below(files.len());
        for (index, file) in files.iter().enumerate() {
            let mut bytes = std::fs::read(file).unwrap();
            if index == victim {
                let rest = bytes.split_off(bytes.len().min(HEAD));
                bytes = mutator.bytes(&bytes);
                bytes.extend(rest);
            }
            std::fs::write(copy.path().join(file.file_name().unwrap()), bytes).unwrap();
        }
        let options = InferenceOptions {
            model: ModelSource::Directory(copy.path().to_owned()),
            threads: Some(1),
            ..InferenceOptions::default()
        };
        // A panic or an abort fails the test. A rejection must state a reason.
        if let Err(error) = Engine::load(&options) {
            assert!(!error.to_string().is_empty(), "{}", files[victim].display());
        }
    }
}
