//! The writing style of each kind of source.

use rand::Rng;
use rand::rngs::StdRng;

use super::grammar::{Grammar, RuleId, Subject};
use super::style;
use sentistream_core::domain::{Author, Emotion};

/// A writing style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritingStyle {
    /// Short posts with hashtags, mentions and emoji.
    Short,
    /// Posts and replies of several sentences, some of which are very long.
    Forum,
    /// Short comments on a video.
    Comment,
    /// A rating and its reasons.
    Review,
    /// Headlines with a link.
    News,
}

/// The parameters of a text.
#[derive(Clone, Copy)]
pub struct TextRequest<'a> {
    /// The writing style of the post's source.
    pub writing_style: WritingStyle,
    /// The emotion that the text expresses.
    pub emotion: Emotion,
    /// The topic, and the event that happened to it.
    pub subject: Subject<'a>,
    /// The authors that a mention may name.
    pub authors: &'a [Author],
}

/// A text and its metadata.
#[derive(Debug)]
pub struct Text {
    /// The generated text.
    pub content: String,
    /// The language code of the text, such as `en`.
    pub lang: &'static str,
    /// The URL of the post's page, for all headlines and for some short posts.
    pub url: Option<String>,
    /// Whether the text is a reply to an earlier post.
    pub is_reply: bool,
}

/// The languages of posts that are not in English.
const LANGUAGES: [&str; 6] = ["es", "de", "fr", "pt", "ja", "it"];
/// The percentage of short posts, forum posts and comments that are not in English.
const FOREIGN: u32 = 5;
/// The percentage of the remaining short posts, forum posts and comments that are replies.
const REPLIES: u32 = 11;
/// The percentage of the remaining short posts and forum posts that are about everyday life.
const LIFE: u32 = 18;

/// One rule per emotion.
type ByEmotion = [Option<RuleId>; 7];

/// The rules of the grammar by purpose.
pub struct Rules {
    social: ByEmotion,
    say: ByEmotion,
    life: ByEmotion,
    emoji: ByEmotion,
    open: ByEmotion,
    close: ByEmotion,
    review: ByEmotion,
    news: ByEmotion,
    reply: ByEmotion,
    incident: ByEmotion,
    incident_news: Option<RuleId>,
    languages: [Option<RuleId>; 6],
    /// The rule for names of accounts.
    pub account: Option<RuleId>,
    /// The rule for names of news accounts.
    pub outlet: Option<RuleId>,
    /// Events that can happen to a topic.
    pub crisis: Option<RuleId>,
}

impl Rules {
    /// Looks up every rule.
    pub fn find(grammar: &Grammar) -> Self {
        let by_emotion = |name: &str| Emotion::ALL.map(|emotion| grammar.rule(&format!("{name}.{emotion}")));
        Self {
            social: by_emotion("social"),
            say: by_emotion("say"),
            life: by_emotion("life"),
            emoji: by_emotion("emoji"),
            open: by_emotion("open"),
            close: by_emotion("close"),
            review: by_emotion("review"),
            news: by_emotion("news"),
            reply: by_emotion("reply"),
            incident: by_emotion("incident"),
            incident_news: grammar.rule("incident.news"),
            languages: LANGUAGES.map(|lang| grammar.rule(&format!("lang.{lang}"))),
            account: grammar.rule("name.account"),
            outlet: grammar.rule("name.outlet"),
            crisis: grammar.rule("crisis"),
        }
    }

    /// Writes a text.
    pub fn write(&self, grammar: &mut Grammar, request: TextRequest<'_>, rng: &mut StdRng) -> Text {
        let mut text = Text { content: String::with_capacity(160), lang: "en", url: None, is_reply: false };
        let mut draft = Draft { grammar, request, rng, out: &mut text.content, is_on_topic: true };
        if !request.subject.crisis.is_empty() {
            self.incident(&mut draft);
        } else {
            let is_social =
                matches!(request.writing_style, WritingStyle::Short | WritingStyle::Forum | WritingStyle::Comment);
            if is_social && draft.chance(FOREIGN) {
                let language = draft.rng.random_range(0..LANGUAGES.len());
                draft.add(self.languages[language]);
                text.lang = LANGUAGES[language];
                return text;
            }
            if is_social && draft.chance(REPLIES) {
                draft.mention();
                draft.add(self.reply[request.emotion.index()]);
                draft.is_on_topic = false;
                text.is_reply = true;
            } else {
                self.ordinary(&mut draft);
            }
        }
        self.finish(&mut draft);
        text.url = draft.link();
        text
    }

    fn incident(&self, draft: &mut Draft<'_, '_>) {
        let emotion = draft.request.emotion.index();
        if draft.request.writing_style == WritingStyle::News {
            return draft.add(self.incident_news);
        }
        draft.add(self.incident[emotion]);
        let is_upset = !matches!(draft.request.emotion, Emotion::Joy | Emotion::Neutral);
        if is_upset && matches!(draft.request.writing_style, WritingStyle::Forum | WritingStyle::Review) {
            draft.full_stop();
            draft.sentences(self.say[emotion], 0..4);
        }
    }

    fn ordinary(&self, draft: &mut Draft<'_, '_>) {
        let emotion = draft.request.emotion.index();
        let (is_life, is_brief) = (draft.chance(LIFE), draft.chance(50));
        match draft.request.writing_style {
            WritingStyle::Short | WritingStyle::Forum if is_life => {
                draft.add(self.life[emotion]);
                draft.is_on_topic = false;
            }
            WritingStyle::Short => draft.add(self.social[emotion]),
            WritingStyle::Comment if is_brief => draft.add(self.social[emotion]),
            WritingStyle::Comment => draft.sentences(self.say[emotion], 1..3),
            WritingStyle::Forum => self.forum(draft, emotion),
            WritingStyle::Review => {
                draft.add(self.review[emotion]);
                draft.sentences(self.say[emotion], 0..4);
            }
            WritingStyle::News => draft.add(self.news[emotion]),
        }
    }

    fn forum(&self, draft: &mut Draft<'_, '_>, emotion: usize) {
        if draft.chance(55) {
            draft.add(self.open[emotion]);
        }
        draft.sentences(self.say[emotion], 1..5);
        if draft.chance(20) {
            draft.sentences(self.say[Emotion::Neutral.index()], 1..2);
        }
        if draft.chance(5) {
            for _ in 0..draft.rng.random_range(2..5) {
                draft.out.push_str("\n\n");
                draft.sentences(self.say[Emotion::Neutral.index()], 1..3);
                draft.sentences(self.say[emotion], 2..5);
            }
        }
        if draft.chance(40) {
            draft.space();
            draft.add(self.close[emotion]);
        }
    }

    /// Applies spelling, emoji and hashtags to the text.
    fn finish(&self, draft: &mut Draft<'_, '_>) {
        let emotion = draft.request.emotion;
        match draft.request.writing_style {
            WritingStyle::Forum | WritingStyle::Review => style::sentence_case(draft.out),
            WritingStyle::News => return style::capitalise(draft.out),
            WritingStyle::Short | WritingStyle::Comment => match draft.rng.random_range(0..100) {
                0..45 => style::capitalise(draft.out),
                45..50 if emotion != Emotion::Neutral => *draft.out = draft.out.to_uppercase(),
                50..70 => *draft.out = draft.out.to_lowercase(),
                _ => {}
            },
        }
        if draft.chance(6) {
            style::typo(draft.out, draft.rng);
        }
        let short = draft.request.writing_style == WritingStyle::Short;
        let emoji = match emotion {
            Emotion::Neutral => 12,
            _ if short => 45,
            _ if draft.request.writing_style == WritingStyle::Comment => 40,
            _ => 6,
        };
        if draft.chance(emoji) {
            draft.out.push(' ');
            let from = draft.out.len();
            draft.add(self.emoji[emotion.index()]);
            if draft.chance(25) {
                draft.out.extend_from_within(from..);
            }
        }
        if short && draft.is_on_topic && draft.chance(38) {
            draft.out.push_str(" #");
            draft.out.push_str(&draft.request.subject.topic.tag);
        }
    }
}

/// A text that is being written.
struct Draft<'a, 'o> {
    grammar: &'a mut Grammar,
    request: TextRequest<'o>,
    rng: &'a mut StdRng,
    out: &'a mut String,
    /// Whether the text is about the topic, so that it may get the topic's hashtag.
    is_on_topic: bool,
}

impl Draft<'_, '_> {
    /// Returns `true` with a probability of `percent`.
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn add(&mut self, rule: Option<RuleId>) {
        if let Some(rule) = rule {
            self.grammar.about(self.request.subject, self.rng).expand(rule, self.out);
        }
    }

    fn sentences(&mut self, rule: Option<RuleId>, count: std::ops::Range<usize>) {
        for _ in 0..self.rng.random_range(count) {
            self.space();
            self.add(rule);
        }
    }

    fn space(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(char::is_whitespace) {
            self.out.push(' ');
        }
    }

    fn full_stop(&mut self) {
        if self.out.ends_with(char::is_alphanumeric) {
            self.out.push('.');
        }
    }

    /// Mentions the author of the post that is answered, if the writing style uses mentions.
    fn mention(&mut self) {
        if self.request.writing_style == WritingStyle::Short {
            let author = self.rng.random_range(0..self.request.authors.len());
            self.out.push('@');
            self.out.push_str(self.request.authors[author].as_str());
            self.out.push(' ');
        }
    }

    /// The URL of the post's page, for all headlines and for some other posts. The text of these other posts also
    /// contains the URL.
    fn link(&mut self) -> Option<String> {
        let is_news = self.request.writing_style == WritingStyle::News;
        let shows_link = self.request.writing_style == WritingStyle::Short && self.chance(6);
        if !is_news && !shows_link {
            return None;
        }
        let page: u32 = self.rng.random_range(0x1000..0xffff);
        let site = if is_news { "news.example.com" } else { "example.com" };
        let url = format!("https://{site}/{}/{page:x}", self.request.subject.topic.handle);
        if !is_news {
            self.out.push(' ');
            self.out.push_str(&url);
        }
        Some(url)
    }
}
