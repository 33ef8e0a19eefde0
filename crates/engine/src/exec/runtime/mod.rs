//! The tasks of a run and what passes between them.
//!
//! [`driver`] starts a task for each source, operator and sink. Batches and checkpoint barriers pass along the channels of
//! [`edge`].

mod checkpoint;
mod decoded_rows;
mod driver;
mod edge;
mod operator_task;
mod record;
mod sink_task;
mod source_task;
mod state;
mod watermark;

pub use decoded_rows::DecodedRows;
pub use driver::run;
