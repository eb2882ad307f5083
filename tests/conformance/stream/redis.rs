//! What only Redis has: other programs at the same stream, and losses of every kind.

mod deployments;
mod faults;
mod losses;
mod memory;
mod outsiders;
