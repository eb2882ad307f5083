/** The answers of the API, by the names that the dashboard uses for them. */

export type Sentiment = "positive" | "neutral" | "negative";
export type Emotion = "anger" | "disgust" | "fear" | "joy" | "neutral" | "sadness" | "surprise";
export type Period = "minute" | "hour" | "day";

export interface PostSentiment {
  label: Sentiment;
  confidence: number;
  emotion: Emotion;
  model_name: string;
  analyzed_at: string;
}

export interface Post {
  post_id: string;
  source: string;
  content: string;
  author: string | null;
  created_at: string;
  ingested_at: string;
  url?: string | null;
  lang?: string | null;
  reply_to?: string | null;
  sentiment: PostSentiment;
}

export interface PostDetail extends Post {
  scores: ClassScores;
  truncated?: boolean;
}

export interface ClassScores {
  sentiment: Record<Sentiment, number>;
  emotion: Record<Emotion, number>;
}

export interface PostPage {
  posts: Post[];
  total: number;
  total_capped?: boolean;
  limit: number;
  next_cursor: string | null;
}

export interface Bucket {
  timestamp: string;
  positive_count: number;
  negative_count: number;
  neutral_count: number;
  total_count: number;
  positive_percentage: number;
  negative_percentage: number;
  neutral_percentage: number;
  average_confidence: number;
  emotions: Partial<Record<Emotion, number>>;
}

export interface Aggregate {
  period: Period;
  start_date: string;
  end_date: string;
  source: string | null;
  data: Bucket[];
  summary: {
    total_posts: number;
    positive_total: number;
    negative_total: number;
    neutral_total: number;
    average_confidence: number;
  };
}

export interface EmotionCount {
  emotion: Emotion;
  count: number;
  percentage: number;
}

export interface Distribution {
  timeframe_hours: number;
  source: string | null;
  distribution: Record<Sentiment, number>;
  total: number;
  percentages: Record<Sentiment, number>;
  top_emotions: EmotionCount[];
  average_confidence: number;
  cached: boolean;
  cached_at: string | null;
}

/** What the WebSocket says of a newly analysed post. */
export interface PostEvent {
  post_id: string;
  content: string;
  source: string;
  author: string | null;
  sentiment_label: Sentiment;
  confidence_score: number;
  emotion: Emotion;
  created_at: string;
  ingested_at: string;
  timestamp: string;
}

export interface Alert {
  id: number;
  alert_type: string;
  scope: string;
  state: "firing" | "resolved";
  threshold_value: number;
  actual_value: number;
  window_start: string;
  window_end: string;
  post_count: number;
  triggered_at: string;
  resolved_at: string | null;
  details: Record<string, unknown>;
}

export interface AlertPage {
  alerts: Alert[];
  total: number;
  next_cursor: string | null;
}

export interface SourceInfo {
  source: string;
  count: number;
  by_sentiment: Record<Sentiment, number>;
  percentages: Record<Sentiment, number>;
  average_confidence: number;
  last_post: string | null;
}

export interface WindowCounts {
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

/** A frame of `/ws/sentiment`. */
export type LiveFrame =
  | { type: "connected"; message: string; timestamp: string }
  | { type: "post"; data: PostEvent }
  | { type: "metrics_update"; data: Metrics; timestamp: string }
  | { type: "alert"; data: Alert }
  | { type: "post_deleted"; data: { post_id: string } }
  | { type: "lagged"; missed: number | null }
  | { type: "pong" }
  | { type: "error"; message: string };

export interface Analysis {
  label: Sentiment;
  confidence: number;
  emotion: Emotion;
  scores: ClassScores;
  model: string;
  tokens: number;
  truncated: boolean;
}

export interface ServiceState {
  kind: string;
  state: string;
  detail?: string;
}

export interface Lag {
  pending: number;
  waiting: number;
  claimed: number;
  oldest_seconds: number;
}

export interface ComponentState {
  name: string;
  healthy: boolean;
  state: string;
  detail?: string;
}

export interface ModelState {
  state: string;
  detail?: string | null;
  info?: ModelInfo | null;
}

export interface ModelInfo {
  name: string;
  architecture: string;
  precision: string;
  max_tokens: number;
  parameters: number;
  load_ms: number;
}

export interface System {
  versions: { sentistream: string; platform: string };
  started_at: string;
  uptime_seconds: number;
  database: ServiceState;
  stream: ServiceState & {
    lag: Lag | null;
    appended: number | null;
    dead_letters: number | null;
    epoch: string | null;
  };
  model: ModelState;
  throughput: { in_per_second: number | null; out_per_second: number | null };
  consumers: { name: string; claimed: number; idle_seconds: number }[] | null;
  cache: { enabled: boolean; hits: number; misses: number };
  live: { clients: number };
  components: ComponentState[];
  timestamp: string;
}

export interface DeadLetter {
  id: string;
  origin_id: string;
  post_id: string | null;
  reason: string;
  error: string;
  deliveries: number;
  failed_at: string;
  fields: { name: string; value: string; base64: string | null; cut: boolean }[];
}

export interface DeadLetterPage {
  dead_letters: DeadLetter[];
  total: number;
  limit: number;
  next_cursor: string | null;
}

export type Selection = { ids: string[] } | { all: true };
