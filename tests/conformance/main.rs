//! The contracts that every backend must keep: the same cases over each of them.

mod store;
