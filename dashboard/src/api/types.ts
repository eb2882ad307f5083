import type { components } from "./schema";

/** Names for the API's schemas. */

type Schemas = components["schemas"];

export type Sentiment = Schemas["Sentiment"];
export type Emotion = Schemas["Emotion"];
export type Period = Schemas["Period"];

/** The sentiment and the emotion of a post, with the confidence and the model. */
export type Mood = Schemas["SentimentView"];
/** A post. A post without a sentiment was not scored; `unscored` is the reason: `language`. */
export type Post = Omit<Schemas["PostView"], "sentiment" | "unscored"> & {
  sentiment: Mood | null;
  unscored?: string | null;
};
export type ScoredPost = Post & { sentiment: Mood };
export type PostDetail = Post & {
  /** Unset if the post was not scored. */
  scores?: ClassScores | null;
  truncated?: boolean | null;
  topics?: PostTopic[];
};
/** A topic of a post, with the sentiment towards it. */
export type PostTopic = Schemas["PostTopicView"];
export type PostPage = Omit<Schemas["PostList"], "posts"> & { posts: Post[] };
/** The WebSocket's event for a newly stored post. The labels of a post that was not scored are empty. */
export type PostEvent = Omit<
  Schemas["PostEvent"],
  "sentiment_label" | "confidence_score" | "emotion" | "unscored"
> & {
  sentiment_label: Sentiment | "" | null;
  confidence_score: number | null;
  emotion: Emotion | "" | null;
  unscored?: string | null;
};
export type ClassScores = Schemas["AllScores"];

export type Aggregate = Schemas["AggregateAnswer"];
export type Bucket = Schemas["BucketAnswer"];
export type EmotionCount = Schemas["TopEmotion"];
export type SourceInfo = Schemas["SourceView"];
export type Demo = Schemas["DemoView"];
export type SourceDefinition = Schemas["SourceDefinition"];
export type ManagedSource = Schemas["ManagedSourceView"];
export type SourceRequest = Schemas["SourceRequest"];
export type SourceKind = Schemas["SourceKind"];
export type SourceField = Schemas["SourceField"];
export type Backfill = Schemas["Backfill"];
export type Trial = Schemas["Trial"];

/** The OpenAPI document describes the details as an open object. */
export type Alert = Omit<Schemas["Alert"], "details"> & { details: Record<string, unknown> };
export type AlertPage = Omit<Schemas["AlertList"], "alerts"> & { alerts: Alert[] };

/** An alert with its timeline and its evidence. */
export type AlertDetail = Alert & Pick<Schemas["AlertDetail"], "timeline">;
export type Transition = Schemas["Transition"];
export type Comparison = Schemas["Comparison"];
/** Whether the changes of a comparison are significant. */
export type Significance = Schemas["Significance"];
export type PeriodCounts = Schemas["PeriodCounts"];

/** The changes between two ranges and their explanation. */
export type Insight = Schemas["Explained"];
/** A significant change. */
export type Shift = Schemas["Shift"];
/** A post that an insight cites. */
export type CitedPost = Schemas["CitedPost"];

export type RuleDraft = Schemas["RuleDraft"];
export type Rule = Schemas["RuleView"];
export type Backtest = Schemas["BacktestView"];
export type Firing = Schemas["Firing"];
export type BacktestTrack = Schemas["Track"];
export type Matcher = Schemas["Matcher"];
export type SilenceDraft = Schemas["Silence"];
export type Silence = Schemas["SilenceView"];
export type Channel = Schemas["Channel"];
export type Templates = Schemas["Templates"];
export type MessagePreview = Schemas["MessagePreview"];
export type MessagePreviewDraft = Schemas["MessagePreviewRequest"];
export type InhibitRuleDraft = Schemas["InhibitRule"];
export type InhibitRule = Schemas["Stored_InhibitRule"];
export type ReceiverDraft = Schemas["ReceiverRequest"];
export type Receiver = Schemas["ReceiverView"];
export type RouteDraft = Schemas["Route"];
export type Route = Schemas["Stored_Route"];
export type RoutePreview = Schemas["RoutePreview"];
export type MuteTimingDraft = Schemas["MuteTiming"];
export type MuteTiming = Schemas["Stored_MuteTiming"];
export type MuteInterval = Schemas["MuteInterval"];
export type Weekday = Schemas["Weekday"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryView"];
export type DeliveryPage = Schemas["DeliveryList"];
export type Topic = Schemas["TopicView"];
export type TopicDraft = Schemas["TopicDraft"];
export type TopicChange = Schemas["TopicChange"];
export type TopicPreview = Omit<Schemas["Preview"], "examples"> & { examples: Post[] };
export type TopicShares = Schemas["Share"];
export type TopicShare = Schemas["TopicShare"];

export type Analysis = Schemas["AnalysisView"];
export type System = Schemas["System"];
export type ServiceState = Schemas["ServiceView"];
export type ComponentState = Schemas["ComponentState"];
/** A source and its status. */
export type Feed = Schemas["FeedView"];
export type DeadLetter = Schemas["DeadLetterView"];
export type DeadLetterPage = Schemas["DeadLetterList"];
export type Problem = Schemas["Problem"];

/** A selection of dead letters. */
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

/** A frame of `/ws/sentiment`. Written by hand, because OpenAPI does not describe WebSockets. */
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

export type Scope = "read" | "write" | "respond" | "edit" | "admin";
export type Role = Schemas["UserRole"];
/** The user or token of this browser, and the scopes. */
export type Session = Schemas["CurrentSession"];
export type SessionUser = Schemas["CurrentUser"];
/** A browser in which a person is signed in. */
export type SignedInDevice = Schemas["SessionView"];
export type User = Schemas["UserView"];
export type UserChange = Schemas["UserChange"];
export type FirstAccount = Schemas["SetupRequest"];
export type Invitation = Schemas["InvitationView"];
/** An access token of a program, without its text. */
export type ApiToken = Schemas["TokenView"];
export type ApiTokenDraft = Schemas["TokenRequest"];
export type CreatedToken = Schemas["CreatedToken"];

export type AuditEvent = Schemas["SecurityEvent"];
/** A change of an object, with its values before and after. */
export type AuditChange = Omit<Schemas["AuditEntry"], "before" | "after"> & {
  before?: Record<string, unknown> | null;
  after?: Record<string, unknown> | null;
};
export type AuditOutcome = "allowed" | "denied" | "unknown";
