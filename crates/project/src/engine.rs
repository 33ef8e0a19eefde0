//! The engines that can run the rules on this machine.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use weir_arroyo::local::binary;
use weir_rules::Target;

/// Which engine runs the rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The engine inside this command
    #[default]
    Embedded,
    /// The `arroyo` that ARROYO_BIN names, or the one on PATH
    Arroyo,
}

impl EngineKind {
    /// What a step calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "the embedded engine",
            Self::Arroyo => "Arroyo",
        }
    }

    /// What programs are compiled for, to run on it.
    #[must_use]
    pub fn target(self) -> Target {
        match self {
            Self::Embedded => Target::Embedded,
            Self::Arroyo => Target::Arroyo,
        }
    }

    /// Refuses an engine that is not there, before anything is started.
    ///
    /// # Errors
    /// When there is no `arroyo` on this machine.
    pub fn check(self) -> Result<()> {
        if self == Self::Arroyo && arroyo().is_none() {
            bail!(
                "no `arroyo` was found\n  hint: scripts/install-arroyo.sh fetches Arroyo 0.15 and prints the line that names it in \
                 ARROYO_BIN; or run the rules on the embedded engine: leave out --engine"
            );
        }
        Ok(())
    }
}

/// The `arroyo` that is named, or the first on `PATH`.
pub fn arroyo() -> Option<PathBuf> {
    binary().filter(|file| file.is_file())
}
