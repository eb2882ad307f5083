//! Connection settings, which only the configuration may set.

use super::SourceConfig;

impl SourceConfig {
    /// Copies the connection settings, such as the address of the API, from the configured table of the same kind.
    /// Sources that users add get these settings, too.
    pub fn connect_like(&mut self, table: &Self) {
        match (self, table) {
            (Self::Bluesky(settings), Self::Bluesky(table)) => {
                settings.hosts.clone_from(&table.hosts);
                settings.api.clone_from(&table.api);
                settings.idle_timeout = table.idle_timeout;
                settings.zstd_dictionary.clone_from(&table.zstd_dictionary);
            }
            (Self::Mastodon(settings), Self::Mastodon(table)) => {
                (settings.rewind, settings.idle_timeout) = (table.rewind, table.idle_timeout);
            }
            (Self::HackerNews(settings), Self::HackerNews(table)) => {
                settings.url.clone_from(&table.url);
                settings.search_url.clone_from(&table.search_url);
            }
            (Self::Reddit(settings), Self::Reddit(table)) => {
                settings.url.clone_from(&table.url);
                settings.token_url.clone_from(&table.token_url);
            }
            (Self::Steam(settings), Self::Steam(table)) => settings.url.clone_from(&table.url),
            (Self::YouTube(settings), Self::YouTube(table)) => settings.url.clone_from(&table.url),
            // The other kinds have no connection settings, or their connection settings belong to one source.
            _ => {}
        }
    }
}
