//! Fuzzes the loaders of model files. The first byte of an input selects a file of the small test models; the other
//! bytes replace the beginning of that file.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sentistream::inference::{Engine, InferenceOptions, ModelSource};
use tempfile::TempDir;

/// The number of bytes at the beginning of a file that an input can replace. They contain the structure of the file.
const HEAD: usize = 8_192;

/// The files whose beginning an input may replace. `scripts/fuzz` writes these beginnings as seeds, in this order.
const FILES: [(&str, &str); 10] = [
    ("bert", "config.json"),
    ("bert", "model.safetensors"),
    ("bert", "tokenizer.json"),
    ("bert-old", "pytorch_model.bin"),
    ("bert-old", "tokenizer_config.json"),
    ("bert-old", "vocab.txt"),
    ("xlm-roberta", "pytorch_model.bin"),
    ("xlm-roberta", "sentencepiece.bpe.model"),
    ("roberta", "model.safetensors.index.json"),
    ("roberta", "merges.txt"),
];

/// Copies of the models in a temporary folder.
struct Models {
    originals: PathBuf,
    copies: TempDir,
}

impl Models {
    fn copy() -> Self {
        // The loaders catch panics of the libraries that they use, but the panic hook of libFuzzer would abort first. A
        // panic that a loader does not catch still ends the run.
        std::panic::set_hook(Box::new(|_| {}));
        let originals = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/models");
        let copies = tempfile::tempdir().expect("cannot create a temporary folder");
        for (model, _) in FILES {
            std::fs::create_dir_all(copies.path().join(model)).expect("cannot create a folder");
            for entry in std::fs::read_dir(originals.join(model)).expect("cannot list the files of a test model") {
                let path = entry.expect("cannot list the files of a test model").path();
                let name = path.file_name().expect("the path has no file name");
                std::fs::copy(&path, copies.path().join(model).join(name)).expect("cannot copy a file");
            }
        }
        Self { originals, copies }
    }
}

/// Loads a model after the input has replaced the beginning of one of its files.
pub fn load(data: &[u8]) {
    static MODELS: OnceLock<Models> = OnceLock::new();
    let models = MODELS.get_or_init(Models::copy);
    let Some((kind, head)) = data.split_first() else { return };
    let (model, file) = FILES[usize::from(*kind) % FILES.len()];
    let original = std::fs::read(models.originals.join(model).join(file)).expect("cannot read a file of a test model");
    let copy = models.copies.path().join(model).join(file);
    let changed = [head, &original[original.len().min(HEAD)..]].concat();
    std::fs::write(&copy, changed).expect("cannot write the changed file");
    let options = InferenceOptions {
        model: ModelSource::Directory(models.copies.path().join(model)),
        threads: Some(1),
        ..InferenceOptions::default()
    };
    if let Err(error) = Engine::load(&options) {
        assert!(!error.to_string().is_empty());
    }
    std::fs::write(&copy, original).expect("cannot restore the file");
}
