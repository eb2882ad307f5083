//! Outside systems on loopback: each speaks its real protocol, faults included.

pub mod jetstream;
