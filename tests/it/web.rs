//! The HTTP client of the tests.

/// A client with the defaults of the library.
pub fn client() -> reqwest::Client {
    builder().build().expect("a client")
}

/// A client builder that does not decode bodies. It reuses a TLS provider that is installed already.
pub fn builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_gzip()
}

/// The response to a GET of this URL.
pub async fn get(url: impl AsRef<str>) -> reqwest::Result<reqwest::Response> {
    client().get(url.as_ref()).send().await
}
