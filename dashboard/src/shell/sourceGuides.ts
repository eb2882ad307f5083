/** How to connect a kind of source: a command to run and notes. */
export interface SourceGuide {
  key: string;
  name: string;
  about: string;
  /** The command that starts SentiStream with this source, for posts about `subject` if the source can filter. */
  command: (subject: string | undefined) => string;
}

/** The kinds of sources that the connect dialog offers. */
export const SOURCE_GUIDES: readonly SourceGuide[] = [
  {
    key: "bluesky",
    name: "Bluesky",
    about: "Every public post, or posts with certain keywords. No account needed.",
    command: (subject) => start("bluesky", [`sources.bluesky.keywords=[${quoted(subject ?? "your brand")}]`]),
  },
  {
    key: "rss",
    name: "Feeds",
    about: "RSS, Atom and JSON feeds of blogs, news sites and searches.",
    command: (subject) =>
      start("rss", [
        subject
          ? `sources.rss.feeds=["https://news.google.com/rss/search?q=${encodeURIComponent(`"${subject}"`).replaceAll("'", "%27")}"]`
          : 'sources.rss.feeds=["https://example.org/feed.xml"]',
      ]),
  },
  {
    key: "mastodon",
    name: "Mastodon",
    about: "Public timelines or hashtags of one or more instances. No account needed.",
    command: (subject) =>
      start("mastodon", [
        'sources.mastodon.instances=["mastodon.social"]',
        `sources.mastodon.tags=[${quoted(subject ? hashtag(subject) : "yourbrand")}]`,
      ]),
  },
  {
    key: "hackernews",
    name: "Hacker News",
    about: "New stories and comments. No account needed.",
    command: () => start("hackernews", []),
  },
  {
    key: "reddit",
    name: "Reddit",
    about: "New posts and comments of subreddits. Needs the credentials of a Reddit application.",
    command: () =>
      start("reddit", [
        'sources.reddit.subreddits=["technology"]',
        "sources.reddit.client_id=YOUR_ID",
        "sources.reddit.client_secret_file=reddit-secret.txt",
      ]),
  },
  {
    key: "http",
    name: "HTTP",
    about: "Send posts from any program. The server keeps running.",
    command: () =>
      `curl ${window.location.origin}/api/posts -H 'content-type: application/json' -d '{"post_id": "1", "source": "web", "content": "Hello"}'`,
  },
  {
    key: "file",
    name: "File",
    about: "Import NDJSON or CSV with post_id, source and content. The server keeps running.",
    command: () => "sentistream import posts.ndjson",
  },
];

/** "Acme Phone" → "acmephone". */
export function hashtag(subject: string): string {
  return subject.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

function start(kind: string, settings: readonly string[]): string {
  const all = [`ingester.sources=["${kind}"]`, ...settings];
  return ["sentistream", ...all.map((setting) => `--set '${setting.replaceAll("'", "")}'`)].join(" \\\n  ");
}

function quoted(text: string): string {
  return JSON.stringify(text.replaceAll("'", ""));
}
