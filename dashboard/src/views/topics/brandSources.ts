import type { SourceRequest } from "@/api/types";
import { slugOf } from "@/lib/slug";
import { hashtag } from "./brand";

/** Where posts about a brand are collected. */
export type Place = "bluesky" | "news" | "mastodon";

export const PLACES: readonly { value: Place; name: string; about: string }[] = [
  { value: "bluesky", name: "Bluesky", about: "public posts with the name" },
  { value: "news", name: "News", about: "the feed of a Google News search" },
  { value: "mastodon", name: "Mastodon", about: "the hashtag on mastodon.social" },
];

/** The source that collects posts about a brand. */
export function sourceFor(place: Place, brand: string): SourceRequest {
  const name = `${slugOf(brand).slice(0, 50)}-${place}`;
  switch (place) {
    case "bluesky":
      return { name, kind: "bluesky", settings: { keywords: [brand] } };
    case "news": {
      const query = encodeURIComponent(`"${brand.replaceAll('"', "")}"`).replaceAll("'", "%27");
      return { name, kind: "rss", settings: { feeds: [`https://news.google.com/rss/search?q=${query}`] } };
    }
    case "mastodon":
      return {
        name,
        kind: "mastodon",
        settings: { instances: ["mastodon.social"], tags: [hashtag(brand)], local: false },
      };
  }
}
