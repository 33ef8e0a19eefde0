//! What commands share towards the person who started them: printing, steps that are watched, requests to stop, and text of records
//! that is shown and not done.

#![allow(clippy::print_stderr, reason = "steps are told on standard error")]

mod interrupt;
mod print;
mod step;
mod text;

pub use interrupt::{Interrupt, interrupted};
#[doc(hidden)]
pub use print::{print_line, print_text, tell_line};
pub use step::{last_lines, step, tail};
pub use text::{markdown, markdown_code, visible};
