//! `sentistream demo`: a demonstration that does not touch an existing installation.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config::Inputs;

/// Serve a demonstration until stopped, separate from any installation.
///
/// The demonstration uses a free port of this machine and a new database in a temporary folder, which is removed when
/// the demonstration stops. The configuration file, the environment and --roles are not read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  sentistream demo
  sentistream demo --set server.listen=127.0.0.1:8080")]
pub struct DemoArgs {}

/// The folder of a demonstration, removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder that only this user can read.
    pub fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("sentistream-demo-{}", uuid::Uuid::new_v4().simple()));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create the folder {}", path.display()))?;
        Ok(Self(path))
    }

    /// The inputs of the configuration of the demonstration. `sets` override its settings.
    pub fn inputs(&self, sets: Vec<String>) -> Inputs {
        let database = self.path().join("demo.db");
        let mut own = vec![
            format!("database.url=sqlite://{}", database.display()),
            "server.listen=127.0.0.1:0".to_owned(),
            "ingester.demo=on".to_owned(),
            "log.level=warn".to_owned(),
        ];
        own.extend(sets);
        Inputs { sets: own, ..Inputs::default() }
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(
                folder = %self.0.display(),
                %error,
                "the temporary folder of the demonstration was not removed; delete it"
            );
        }
    }
}
