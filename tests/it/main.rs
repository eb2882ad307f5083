//! The whole program, used as people use it.

mod crashes;
mod layering;
mod process;
mod services;
