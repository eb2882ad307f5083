<<<<<<< HEAD
<<<<<<< HEAD
//! The whole program, used as people use it.

=======
//! Tests against the real program.

mod cli;
mod cli_server;
>>>>>>> w-cli
mod crashes;
mod layering;
mod process;
mod services;
=======
//! The program as its users meet it.

mod api;
>>>>>>> w-http
