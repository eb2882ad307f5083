//! The types of the domain. They cannot contain invalid values.
//!
//! Input is parsed into these types once, at the edge; later code does not validate again.

pub mod account;
pub mod alert;
pub mod analysis;
pub mod counts;
pub mod entry;
pub mod event;
pub mod fields;
pub mod human_duration;
pub mod interval;
pub mod invalid;
pub mod label;
pub mod label_set;
pub mod language;
pub mod made_up;
pub mod managed_source;
pub mod notify;
pub mod op;
pub mod page;
pub mod post;
pub mod time;
pub mod topic;
pub mod visible;
pub mod words;

pub use alert::{Alert, AlertState};
pub use analysis::{Analysis, Scores};
pub use counts::Counts;
pub use entry::{Books, DeadLetterReason, EntryId, EntryKey, Outcome};
pub use event::{LiveEvent, PostEvent};
pub use fields::RawFields;
pub use invalid::InvalidValue;
pub use label::{Emotion, PostLabels, Sentiment, SentimentFilter, Unscored};
pub use label_set::LabelSet;
pub use op::{Op, Rejection};
pub use page::Page;
pub use post::{Author, FieldError, Post, PostDraft, PostId, Source};
pub use time::{Period, TimeRange, Timestamp};
pub use topic::{
    Backfill, Clause, PostTopic, SentimentOf, Subject, Topic, TopicId, TopicName, TopicOrigin, TopicSentiment, Towards,
};
