//! The writing style of each kind of source.

use rand::Rng;
use rand::rngs::StdRng;

use super::grammar::{Grammar, RuleId, Subject};
use super::style;
use crate::domain::{Author, Emotion};

/// A writing style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Short posts with hashtags, mentions and emoji.
    Short,
    /// Posts and replies of several sentences, sometimes very long ones.
    Forum,
    /// Remarks under a video.
    Comment,
    /// A rating and its reasons.
    Review,
    /// Headlines with a link.
    News,
}

/// The parameters of a text.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub voice: Voice,
    pub mood: Emotion,
    pub subject: Subject<'a>,
    /// The authors that a mention may name.
    pub authors: &'a [Author],
}

/// A text and its metadata.
#[derive(Debug)]
pub struct Text {
    pub content: String,
    pub lang: &'static str,
    pub url: Option<String>,
    pub is_reply: bool,
}

const LANGUAGES: [&str; 6] = ["es", "de", "fr", "pt", "ja", "it"];
/// Shares of all posts of a voice, in percent.
const FOREIGN: u32 = 5;
const REPLIES: u32 = 11;
const LIFE: u32 = 18;

/// One rule per mood.
type ByMood = [Option<RuleId>; 7];

/// The rules of the grammar by purpose.
pub struct Rules {
    social: ByMood,
    say: ByMood,
    life: ByMood,
    emoji: ByMood,
    open: ByMood,
    close: ByMood,
    review: ByMood,
    news: ByMood,
    reply: ByMood,
    shock: ByMood,
    shock_news: Option<RuleId>,
    languages: [Option<RuleId>; 6],
    /// Names of accounts, and names of news accounts.
    pub account: Option<RuleId>,
    pub outlet: Option<RuleId>,
    /// What can happen to a topic.
    pub crisis: Option<RuleId>,
}

impl Rules {
    /// Looks up every rule.
    pub fn find(grammar: &Grammar) -> Self {
        let by_mood = |name: &str| Emotion::ALL.map(|mood| grammar.rule(&format!("{name}.{mood}")));
        Self {
            social: by_mood("social"),
            say: by_mood("say"),
            life: by_mood("life"),
            emoji: by_mood("emoji"),
            open: by_mood("open"),
            close: by_mood("close"),
            review: by_mood("review"),
            news: by_mood("news"),
            reply: by_mood("reply"),
            shock: by_mood("incident"),
            shock_news: grammar.rule("incident.news"),
            languages: LANGUAGES.map(|lang| grammar.rule(&format!("lang.{lang}"))),
            account: grammar.rule("name.account"),
            outlet: grammar.rule("name.outlet"),
            crisis: grammar.rule("crisis"),
        }
    }

    /// Writes a text.
    pub fn tell(&self, grammar: &mut Grammar, order: Order<'_>, rng: &mut StdRng) -> Text {
        let mut text = Text { content: String::with_capacity(160), lang: "en", url: None, is_reply: false };
        let mut pen = Pen { grammar, order, rng, out: &mut text.content, is_on_topic: true };
        if !order.subject.crisis.is_empty() {
            self.incident(&mut pen);
        } else {
            let chatty = matches!(order.voice, Voice::Short | Voice::Forum | Voice::Comment);
            if chatty && pen.chance(FOREIGN) {
                let language = pen.rng.random_range(0..LANGUAGES.len());
                pen.add(self.languages[language]);
                text.lang = LANGUAGES[language];
                return text;
            }
            if chatty && pen.chance(REPLIES) {
                pen.mention();
                pen.add(self.reply[order.mood.index()]);
                pen.is_on_topic = false;
                text.is_reply = true;
            } else {
                self.ordinary(&mut pen);
            }
        }
        self.finish(&mut pen);
        text.url = pen.link();
        text
    }

    fn incident(&self, pen: &mut Pen<'_, '_>) {
        let mood = pen.order.mood.index();
        if pen.order.voice == Voice::News {
            return pen.add(self.shock_news);
        }
        pen.add(self.shock[mood]);
        let is_hurt = !matches!(pen.order.mood, Emotion::Joy | Emotion::Neutral);
        if is_hurt && matches!(pen.order.voice, Voice::Forum | Voice::Review) {
            pen.stop();
            pen.sentences(self.say[mood], 0..4);
        }
    }

    fn ordinary(&self, pen: &mut Pen<'_, '_>) {
        let mood = pen.order.mood.index();
        let (is_life, is_brief) = (pen.chance(LIFE), pen.chance(50));
        match pen.order.voice {
            Voice::Short | Voice::Forum if is_life => {
                pen.add(self.life[mood]);
                pen.is_on_topic = false;
            }
            Voice::Short => pen.add(self.social[mood]),
            Voice::Comment if is_brief => pen.add(self.social[mood]),
            Voice::Comment => pen.sentences(self.say[mood], 1..3),
            Voice::Forum => self.forum(pen, mood),
            Voice::Review => {
                pen.add(self.review[mood]);
                pen.sentences(self.say[mood], 0..4);
            }
            Voice::News => pen.add(self.news[mood]),
        }
    }

    fn forum(&self, pen: &mut Pen<'_, '_>, mood: usize) {
        if pen.chance(55) {
            pen.add(self.open[mood]);
        }
        pen.sentences(self.say[mood], 1..5);
        if pen.chance(20) {
            pen.sentences(self.say[Emotion::Neutral.index()], 1..2);
        }
        if pen.chance(5) {
            for _ in 0..pen.rng.random_range(2..5) {
                pen.out.push_str("\n\n");
                pen.sentences(self.say[Emotion::Neutral.index()], 1..3);
                pen.sentences(self.say[mood], 2..5);
            }
        }
        if pen.chance(40) {
            pen.space();
            pen.add(self.close[mood]);
        }
    }

    /// Spelling, emoji, hashtags.
    fn finish(&self, pen: &mut Pen<'_, '_>) {
        let mood = pen.order.mood;
        match pen.order.voice {
            Voice::Forum | Voice::Review => style::sentence_case(pen.out),
            Voice::News => return style::capitalise(pen.out),
            Voice::Short | Voice::Comment => match pen.rng.random_range(0..100) {
                0..45 => style::capitalise(pen.out),
                45..50 if mood != Emotion::Neutral => *pen.out = pen.out.to_uppercase(),
                50..70 => *pen.out = pen.out.to_lowercase(),
                _ => {}
            },
        }
        if pen.chance(6) {
            style::typo(pen.out, pen.rng);
        }
        let short = pen.order.voice == Voice::Short;
        let emoji = match mood {
            Emotion::Neutral => 12,
            _ if short => 45,
            _ if pen.order.voice == Voice::Comment => 40,
            _ => 6,
        };
        if pen.chance(emoji) {
            pen.out.push(' ');
            let from = pen.out.len();
            pen.add(self.emoji[mood.index()]);
            if pen.chance(25) {
                pen.out.extend_from_within(from..);
            }
        }
        if short && pen.is_on_topic && pen.chance(38) {
            pen.out.push_str(" #");
            pen.out.push_str(&pen.order.subject.topic.tag);
        }
    }
}

/// The state while a text is written.
struct Pen<'a, 'o> {
    grammar: &'a mut Grammar,
    order: Order<'o>,
    rng: &'a mut StdRng,
    out: &'a mut String,
    /// Whether the text is about the topic, so that a hashtag fits.
    is_on_topic: bool,
}

impl Pen<'_, '_> {
    /// True with a probability of `percent`.
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn add(&mut self, rule: Option<RuleId>) {
        if let Some(rule) = rule {
            self.grammar.about(self.order.subject, self.rng).tell(rule, self.out);
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

    fn stop(&mut self) {
        if self.out.ends_with(char::is_alphanumeric) {
            self.out.push('.');
        }
    }

    /// Adds a mention of the author of the answered post, as short posts do.
    fn mention(&mut self) {
        if self.order.voice == Voice::Short {
            let author = self.rng.random_range(0..self.order.authors.len());
            self.out.push('@');
            self.out.push_str(self.order.authors[author].as_str());
            self.out.push(' ');
        }
    }

    /// The URL of the post's page: always for news, sometimes for other posts, which also contain it as a link.
    fn link(&mut self) -> Option<String> {
        let is_news = self.order.voice == Voice::News;
        let shows_link = self.order.voice == Voice::Short && self.chance(6);
        if !is_news && !shows_link {
            return None;
        }
        let page: u32 = self.rng.random_range(0x1000..0xffff);
        let site = if is_news { "news.example.com" } else { "example.com" };
        let url = format!("https://{site}/{}/{page:x}", self.order.subject.topic.handle);
        if !is_news {
            self.out.push(' ');
            self.out.push_str(&url);
        }
        Some(url)
    }
}
