//! What long commands share towards the person who started them: steps that are watched, and requests to stop.

#![allow(clippy::print_stderr, reason = "steps are told on standard error")]

mod interrupt;
mod print;
mod step;

pub use interrupt::{Interrupt, interrupted};
#[doc(hidden)]
pub use print::{print_line, print_text, tell_line};
pub use step::{last_lines, step, tail};
