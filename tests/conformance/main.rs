//! The same cases over every backend of the stream and of the store.

mod store;
mod stream;
