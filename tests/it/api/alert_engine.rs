//! Rules over scripted posts and a clock that is set.

mod detection;
mod engine;
mod evidence;
mod failures;
mod states;
