//! The HTTP client of the tests.

/// A client with the default options of the library.
pub fn client() -> reqwest::Client {
    builder().build().expect("a client")
}

/// A client builder that does not decode bodies. It uses the TLS provider that is already installed, if any.
pub fn builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_gzip()
}

/// Sends a GET request to this URL.
pub async fn get(url: impl AsRef<str>) -> reqwest::Result<reqwest::Response> {
    client().get(url.as_ref()).send().await
}
