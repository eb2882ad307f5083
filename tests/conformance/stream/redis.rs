//! Cases that apply only to Redis: other programs on the same stream, faults, and losses.

mod deployments;
mod faults;
mod losses;
mod memory;
mod outsiders;
