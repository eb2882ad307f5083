//! A fake Hugging Face Hub on loopback with the models of `tests/data/models` and configurable faults. It implements
//! the parts of the protocol that a download needs. Large files are at another URL, as on the real Hub.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

/// The commit of the branch `main` of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A fault in the transfer of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The connection ends after half of the requested bytes, once.
    CutOnce,
    /// The connection ends after half of the requested bytes, each time.
    Cut,
    /// The connection stays open, and nothing is sent.
    Silence,
    /// A byte in the middle is changed.
    Damage,
    /// The etag contains `../`, so a path with the etag would be outside the cache folder.
    HostileEtag,
    /// The commit id contains `../`, so a path with the id would be outside the cache folder.
    HostileCommit,
}

/// The files of a repository, by name, with their contents.
type Files = Vec<(String, Vec<u8>)>;

#[derive(Default)]
struct State {
    fault: Option<(String, Fault)>,
    /// The path and the range of each request.
    seen: Vec<String>,
    /// Repositories in addition to those of the test data: the name and the files.
    extra: Vec<(String, Files)>,
    /// Whether the description of a revision omits the sizes of files.
    hides_sizes: bool,
}

/// A running fake Hub.
pub struct FakeHub {
    pub url: String,
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
    listening: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl FakeHub {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hub = Self { url, state: Arc::default(), ended: Arc::default(), listening: Mutex::default() };
        let (state, ended) = (Arc::clone(&hub.state), Arc::clone(&hub.ended));
        let listening = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&state);
                std::thread::spawn(move || {
                    // An error means that the client has disconnected.
                    let _ = answer(stream, &state);
                });
            }
        });
        *hub.listening.lock().unwrap() = Some(listening);
        hub
    }

    pub fn fault(&self, file: &str, fault: Fault) {
        self.state.lock().unwrap().fault = Some((file.to_owned(), fault));
    }

    pub fn heal(&self) {
        self.state.lock().unwrap().fault = None;
    }

    pub fn hide_sizes(&self) {
        self.state.lock().unwrap().hides_sizes = true;
    }

    pub fn add(&self, repository: &str, files: &[(&str, &[u8])]) {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        self.state.lock().unwrap().extra.push((repository.to_owned(), files));
    }

    /// The requests that the fake has received so far.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Stops the server, so that connections are refused.
    pub fn stop(&self) {
        let Some(listening) = self.listening.lock().unwrap().take() else { return };
        self.ended.store(true, Ordering::SeqCst);
        // A last connection wakes the listener, which then ends.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        listening.join().unwrap();
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The files of a repository of the test data (`tests/NAME`), or of an added repository.
fn files(state: &State, repository: &str) -> Option<Vec<(String, Vec<u8>)>> {
    if let Some((_, files)) = state.extra.iter().find(|(name, _)| name == repository) {
        return Some(files.clone());
    }
    let folder: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(repository.strip_prefix("tests/")?);
    let entries = std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap());
    Some(entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect())
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors") || name.ends_with(".bin")
}

/// The SHA-256 of a file, which is its etag if the file is large.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let (mut range, mut has_token) = (None, false);
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "range" => range = value.trim().strip_prefix("bytes=").map(str::to_owned),
            "authorization" => has_token = true,
            _ => {}
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut state = state.lock().unwrap();
    state.seen.push(format!("{path} {}", range.as_deref().unwrap_or_default()).trim_end().to_owned());
    let path = path.split('?').next().unwrap_or_default();
    let status = |stream: &mut TcpStream, status: &str, head: &str, body: &[u8]| {
        write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n", body.len())?;
        stream.write_all(body)
    };
    let unknown = if has_token { "404 Not Found" } else { "401 Unauthorized" };

    if let Some(rest) = path.strip_prefix("/api/models/") {
        let (repository, revision) = rest.split_once("/revision/").unwrap_or((rest, "main"));
        let Some(files) = files(&state, repository) else { return status(&mut stream, unknown, "", b"") };
        if revision != "main" && revision != COMMIT {
            return status(&mut stream, "404 Not Found", "x-error-code: RevisionNotFound\r\n", b"");
        }
        let siblings: Vec<_> = files
            .iter()
            .map(|(name, bytes)| match state.hides_sizes {
                true => serde_json::json!({"rfilename": name}),
                false => serde_json::json!({"rfilename": name, "size": bytes.len()}),
            })
            .collect();
        let info = serde_json::json!({"id": repository, "sha": COMMIT, "siblings": siblings});
        return status(&mut stream, "200 OK", "content-type: application/json\r\n", info.to_string().as_bytes());
    }

    let (repository, name) = match path.strip_prefix("/elsewhere/") {
        Some(rest) => rest.rsplit_once('/').unwrap_or_default(),
        None => path.trim_start_matches('/').split_once(&format!("/resolve/{COMMIT}/")).unwrap_or_default(),
    };
    let file = files(&state, repository).and_then(|files| files.into_iter().find(|(file, _)| file == name));
    let Some((_, mut bytes)) = file else { return status(&mut stream, unknown, "", b"") };
    if is_large(name) && !path.starts_with("/elsewhere/") {
        let host = stream.local_addr()?;
        let head = format!(
            "location: http://{host}/elsewhere/{repository}/{name}\r\nx-repo-commit: {COMMIT}\r\n\
             x-linked-etag: \"{}\"\r\nx-linked-size: {}\r\netag: \"other\"\r\n",
            hash(&bytes),
            bytes.len()
        );
        return status(&mut stream, "302 Found", &head, b"");
    }
    // As on the real Hub, the etag of a small file is not a SHA-256.
    let hostile = state.fault.clone().filter(|(file, _)| file == name).map(|(_, fault)| fault);
    let etag = match hostile {
        Some(Fault::HostileEtag) => "../../../../stolen".to_owned(),
        _ if is_large(name) => hash(&bytes),
        _ => hash(&bytes)[..40].to_owned(),
    };
    let commit = if hostile == Some(Fault::HostileCommit) { "../../../stolen" } else { COMMIT };
    let total = bytes.len();
    let (from, to) = range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let (from, to) = (from.parse().unwrap_or(0), to.parse().map_or(total, |to: usize| to + 1).min(total));
    if from >= total {
        return status(&mut stream, "416 Range Not Satisfiable", "", b"");
    }
    let is_probe = to == 1;
    let fault = state.fault.clone().filter(|(file, _)| file == name && !is_probe).map(|(_, fault)| fault);
    if fault == Some(Fault::Damage) {
        bytes[total / 2] ^= 1;
    }
    if fault == Some(Fault::CutOnce) {
        state.fault = None;
    }
    drop(state);
    let part = &bytes[from..to];
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-range: bytes {from}-{}/{total}\r\netag: \"{etag}\"\r\nx-repo-commit: {commit}\r\n\r\n",
        part.len(),
        to - 1
    )?;
    match fault {
        Some(Fault::Cut | Fault::CutOnce) => stream.write_all(&part[..part.len() / 2]),
        Some(Fault::Silence) => {
            stream.flush()?;
            // Waits until the client disconnects.
            stream.read(&mut [0]).map(|_| ())
        }
        _ => stream.write_all(part),
    }
}
