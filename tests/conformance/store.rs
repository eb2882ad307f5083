//! Conformance cases of the store, which run over SQLite and Postgres.

mod accounts;
mod aggregates;
mod alert_windows;
mod alerts;
mod books;
mod coordination;
mod fixture;
mod order;
mod pages;
mod removal;
mod retention;
mod schema;
mod search;
mod topics;
mod towards;
mod unscored;
mod upgrade;
