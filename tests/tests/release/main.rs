//! `scripts/release.sh`, `install.sh` and the container: what is made, and that it works where nothing of Weir's checkout is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at a surprise")]

mod alone;
mod archive;
mod common;
mod container;
mod install;
mod workflow;
