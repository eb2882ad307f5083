import type { Emotion, Post, PostEvent, Sentiment } from "@/api/types";
import type { SentimentOf } from "@/lib/search";

/** A post in the live feed, from the WebSocket or from REST. */
export interface LivePost {
  id: string;
  content: string;
  source: string;
  author: string | null;
  /** `null` if the post was not scored. */
  sentiment: Sentiment | null;
  confidence: number | null;
  emotion: Emotion | null;
  /** Why the post was not scored: `language`. */
  unscored?: string | null | undefined;
  createdAt: number;
  ingestedAt: number;
  /** The tracked topics that the post matches. Known only for WebSocket events. */
  topics?: readonly string[] | undefined;
  /** The sentiment towards a topic, by the topic's name, if it differs from the sentiment of the post. */
  towards?: Readonly<Record<string, Sentiment>> | undefined;
}

/**
 * The filter of the feed. For WebSocket events the server applies topic, source, sentiment and emotion; the client
 * applies the rest.
 */
export interface LiveFilter {
  topic?: string | undefined;
  /** Which sentiment the posts of the topic show. The server filters by the sentiment towards the topic only. */
  sentiment_of?: SentimentOf | undefined;
  source?: string | undefined;
  sentiment?: Sentiment | undefined;
  emotion?: Emotion | undefined;
  author?: string | undefined;
  /** Minimum confidence. */
  min?: number | undefined;
  q?: string | undefined;
}

export function fromEvent(event: PostEvent): LivePost {
  return {
    id: event.post_id,
    content: event.content,
    source: event.source,
    author: event.author ?? null,
    sentiment: event.sentiment_label || null,
    confidence: event.sentiment_label ? event.confidence_score : null,
    emotion: event.emotion || null,
    unscored: event.unscored,
    createdAt: Date.parse(event.created_at),
    ingestedAt: Date.parse(event.ingested_at),
    topics: event.topics,
    towards: event.topic_sentiments,
  };
}

/** Converts a post of the REST API. If the list is filtered by topic, the sentiment is the one towards the topic. */
export function fromPost(post: Post): LivePost {
  return {
    id: post.post_id,
    content: post.content,
    source: post.source,
    author: post.author ?? null,
    sentiment: post.topic_sentiment?.label ?? post.sentiment?.label ?? null,
    confidence: post.topic_sentiment?.confidence ?? post.sentiment?.confidence ?? null,
    emotion: post.sentiment?.emotion ?? null,
    unscored: post.unscored,
    createdAt: Date.parse(post.created_at),
    ingestedAt: Date.parse(post.ingested_at),
  };
}

/** The post with the sentiment that lists and charts show for a filter: towards the topic, or of the whole post. */
export function seenBy(post: LivePost, { topic, sentiment_of }: LiveFilter): LivePost {
  const sentiment = topic === undefined || sentiment_of === "post" ? undefined : post.towards?.[topic];
  return sentiment ? { ...post, sentiment } : post;
}

/**
 * Whether the post matches the filter, apart from the minimum confidence. After a change of the filter, the server may
 * still send posts that match the previous filter.
 */
export function matches(post: LivePost, filter: LiveFilter): boolean {
  return (
    (!filter.topic || post.topics?.includes(filter.topic) === true) &&
    (!filter.source || post.source === filter.source) &&
    (!filter.sentiment || post.sentiment === filter.sentiment) &&
    (!filter.emotion || post.emotion === filter.emotion) &&
    (!filter.author || post.author === filter.author) &&
    mentions(post, filter.q)
  );
}

/** Whether the post contains all words, ignoring case. */
function mentions(post: LivePost, q: string | undefined): boolean {
  if (!q) return true;
  const text = post.content.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
