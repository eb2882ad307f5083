//! The store's contract, over SQLite and Postgres.

mod aggregates;
mod alert_windows;
mod alerts;
mod bed;
mod books;
mod coordination;
mod order;
mod pages;
mod removal;
mod retention;
mod schema;
mod search;
mod topics;
mod upgrade;
