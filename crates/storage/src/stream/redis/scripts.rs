//! The Lua scripts. Each call sends the text of the script, which Redis compiles only once. Scripts therefore also work
//! after a restart or failover, and on another node of a cluster.

/// The text of a script that uses the input stream, its group and its counters.
#[derive(Clone, Copy)]
pub(super) struct Script(pub &'static str);

/// The text of a script file with the common functions. The flags allow scripts to run when Redis has reached
/// `maxmemory`, because most scripts free memory. Scripts that append to the input stream check the used memory
/// themselves.
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
/// This script and the scripts below use two keys: one stream and its index. In a cluster these keys may be on a
/// different node than the input stream.
pub(super) const PUBLISH: &str = text!("scripts/publish.lua");
pub(super) const FORGET_POSTS: &str = text!("scripts/forget_posts.lua");
pub(super) const INDEX_POSTS: &str = text!("scripts/index_posts.lua");

/// The maximum number of names and values of an entry that a script accepts. A script puts all of them on the stack of
/// Lua, which has 8,000 slots.
pub(super) const MAX_PARTS: usize = 7_000;
