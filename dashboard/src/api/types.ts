import type { components } from "./schema";

/** The answers of the API, by the names that the dashboard uses for them. The shapes are the server's own. */

type Schemas = components["schemas"];

export type Sentiment = Schemas["Sentiment"];
export type Emotion = Schemas["Emotion"];
export type Period = Schemas["Period"];

export type Post = Schemas["PostView"];
export type PostDetail = Schemas["PostDetail"];
export type PostPage = Schemas["PostList"];
/** What the WebSocket says of a newly analysed post. */
export type PostEvent = Schemas["PostEvent"];
export type ClassScores = Schemas["AllScores"];

export type Aggregate = Schemas["AggregateAnswer"];
export type Bucket = Schemas["BucketAnswer"];
export type Distribution = Schemas["Distribution"];
export type EmotionCount = Schemas["TopEmotion"];
export type SourceInfo = Schemas["SourceView"];
export type Feed = Schemas["FeedView"];

/** The document only says that the details are an object. */
export type Alert = Omit<Schemas["Alert"], "details"> & { details: Record<string, unknown> };
export type AlertPage = Omit<Schemas["AlertList"], "alerts"> & { alerts: Alert[] };

export type Analysis = Schemas["AnalysisView"];
export type System = Schemas["System"];
export type ServiceState = Schemas["ServiceView"];
export type ComponentState = Schemas["ComponentState"];
export type DeadLetter = Schemas["DeadLetterView"];
export type DeadLetterPage = Schemas["DeadLetterList"];
export type Problem = Schemas["Problem"];

/** Which dead letters. */
export type Selection = { ids: string[] } | { all: true };

interface WindowCounts {
  positive: number;
  negative: number;
  neutral: number;
  total: number;
  percentages: Record<Sentiment, number>;
  top_emotions: EmotionCount[];
}

export interface Metrics {
  last_minute: WindowCounts;
  last_hour: WindowCounts;
  last_24_hours: WindowCounts;
}

/** A frame of `/ws/sentiment`. OpenAPI does not describe WebSockets, so these are written by hand. */
export type LiveFrame =
  | { type: "connected"; message: string; timestamp: string }
  | { type: "subscribed" }
  | { type: "post"; data: PostEvent }
  | { type: "metrics_update"; data: Metrics; timestamp: string }
  | { type: "alert"; data: Alert }
  | { type: "post_deleted"; data: { post_id: string } }
  | { type: "lagged"; missed: number | null }
  | { type: "pong" }
  | { type: "error"; message: string };
