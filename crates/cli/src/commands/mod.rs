//! One file a command.

pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod explain;
pub(crate) mod failures;
pub(crate) mod generate;
pub(crate) mod new;
pub(crate) mod put;
pub(crate) mod quarantine;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod silence;
pub(crate) mod status;
pub(crate) mod studio;
pub(crate) mod tail;
pub(crate) mod test;
pub(crate) mod up;
