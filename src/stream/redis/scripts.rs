//! The scripts. They are sent as text, which Redis caches, so that a restarted server, a new master
//! or another node of a cluster never lacks one.

/// The text of a script on the input stream, its group and its books.
#[derive(Clone, Copy)]
pub(super) struct Script(pub &'static str);

/// Scripts run when Redis is full (`maxmemory`), since most of them free memory; those that append check
/// the memory in use themselves.
macro_rules! text {
    ($($file:literal),+) => {
        concat!("#!lua flags=allow-oom\n", include_str!("scripts/common.lua"), $(include_str!($file)),+)
    };
}

macro_rules! script {
    ($file:literal) => {
        Script(text!("scripts/prelude.lua", $file))
    };
}

pub(super) const BEGIN: Script = script!("scripts/begin.lua");
pub(super) const APPEND: Script = script!("scripts/append.lua");
pub(super) const RESCUE: Script = script!("scripts/rescue.lua");
pub(super) const RENEW: Script = script!("scripts/renew.lua");
pub(super) const RELEASE: Script = script!("scripts/release.lua");
pub(super) const ORPHANS: Script = script!("scripts/orphans.lua");
pub(super) const DEAD_LETTER: Script = script!("scripts/dead_letter.lua");
pub(super) const DEPTH: Script = script!("scripts/depth.lua");
pub(super) const UNREAD: Script = script!("scripts/unread.lua");
pub(super) const TRIM: Script = script!("scripts/trim.lua");
pub(super) const FORGET_CONSUMERS: Script = script!("scripts/forget_consumers.lua");
pub(super) const REPLAY: Script = script!("scripts/replay.lua");
pub(super) const PURGE: Script = script!("scripts/purge.lua");
/// These scripts work on one stream and its index, which may be on another node than the input stream.
pub(super) const PUBLISH: &str = text!("scripts/publish.lua");
pub(super) const FORGET_POSTS: &str = text!("scripts/forget_posts.lua");
pub(super) const INDEX_POSTS: &str = text!("scripts/index_posts.lua");

/// Most names and values that one entry may have to pass through a script; Lua's stack holds 8,000.
pub(super) const MAX_PARTS: usize = 7_000;
