//! Every type that crosses the wire, in both directions. `web/app/types.js` has the same for the page; a test holds the two equal
//! by a snapshot of each.
//!
//! Times are milliseconds since 1970, as the page draws them; nanoseconds do not fit into its numbers.

mod evaluation;
mod making;
mod project;
mod stack;

pub use evaluation::*;
pub use making::*;
pub use project::*;
pub use stack::*;
