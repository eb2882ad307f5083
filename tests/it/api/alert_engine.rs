//! Evaluates rules on scripted posts, with a clock that the test sets.

mod detection;
mod engine;
mod evidence;
mod failures;
mod states;
