//! Cases of only Redis: other programs on the same stream, and every kind of loss.

mod deployments;
mod faults;
mod losses;
mod memory;
mod outsiders;
