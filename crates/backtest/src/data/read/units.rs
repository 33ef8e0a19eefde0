//! Notices a file whose times are in another unit than milliseconds.

use std::path::Path;

use anyhow::{Result, bail};
use weir_decode::{EpochUnit, Fault};

use super::unit_option;

/// So many records in another unit, and no event before them, are enough to stop.
const ENOUGH: u64 = 100;

/// What the records of a file say of the unit of its times.
#[derive(Debug)]
pub(super) struct Units<'a> {
    file: &'a Path,
    events: u64,
    /// How many records had a time in another unit; the first one's unit and line.
    others: u64,
    first: Option<(EpochUnit, u64)>,
}

impl<'a> Units<'a> {
    pub(super) fn new(file: &'a Path) -> Self {
        Self { file, events: 0, others: 0, first: None }
    }

    pub(super) fn event(&mut self) {
        self.events += 1;
    }

    pub(super) fn refused(&mut self, fault: &Fault, line: u64) -> Result<()> {
        if let Some(unit) = fault.unit {
            self.others += 1;
            self.first.get_or_insert((unit, line));
            if self.others >= ENOUGH {
                return self.end();
            }
        }
        Ok(())
    }

    /// At the end of the file.
    pub(super) fn end(&self) -> Result<()> {
        match self.first {
            Some((unit, line)) if self.events == 0 => bail!(
                "{}:{line}: its times are epoch {}; epoch milliseconds or RFC 3339 are read\n  hint: {}",
                self.file.display(),
                unit.as_str(),
                unit_option(unit)
            ),
            _ => Ok(()),
        }
    }
}
