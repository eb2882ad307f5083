//! One contract, many backends: the same cases over each of them.

mod stream;
