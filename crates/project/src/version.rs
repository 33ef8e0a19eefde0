//! Versions of Weir, and whether one serves a project that was written for another.

use std::{fmt, str::FromStr};

/// A version: `MAJOR.MINOR.PATCH`, the last parts of which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    parts: [u32; 3],
    written: usize,
}

impl Version {
    /// This build's.
    #[must_use]
    pub fn own() -> Self {
        env!("CARGO_PKG_VERSION").parse().unwrap_or(Self { parts: [0; 3], written: 3 })
    }

    /// Whether a project that was written for `self` is served by `other`: not older, and of the same compatible line (what
    /// semantic versioning calls compatible: the same leading part that is not zero).
    #[must_use]
    pub fn is_served_by(self, other: Self) -> bool {
        let line = |version: Self| match version.parts {
            [0, minor, _] => (0, minor),
            [major, ..] => (major, 0),
        };
        line(self) == line(other) && self.parts <= other.parts
    }

    /// The version with all of its parts, as a release is called: `0.3` begins with 0.3.0.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { written: 3, ..self }
    }

    /// Whether it is newer.
    #[must_use]
    pub fn is_newer_than(self, other: Self) -> bool {
        self.parts > other.parts
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("`{text}` is no version");
        let mut parts = [0; 3];
        let mut written = 0;
        for part in text.split('.') {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let place = parts.get_mut(written).filter(|_| digits).ok_or_else(fault)?;
            *place = part.parse().map_err(|_| fault())?;
            written += 1;
        }
        Ok(Self { parts, written })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().take(self.written).map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(project: &str, weir: &str) -> bool {
        project.parse::<Version>().unwrap().is_served_by(weir.parse().unwrap())
    }

    #[test]
    fn a_version_serves_its_line() {
        assert!(served("0.1", "0.1.0") && served("0.1.0", "0.1.7") && served("1.2", "1.10.0") && served("0", "0.0.1"));
        assert!(!served("0.1.8", "0.1.7") && !served("0.1", "0.2.0") && !served("0.2", "0.1.9"));
        assert!(!served("1", "2.0.0") && !served("2", "1.9.9"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "1.", ".1", "1.2.3.4", "v1", "1.x", "-1", "+1", "4294967296"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        let short = "01.2".parse::<Version>().unwrap();
        assert_eq!((short.to_string().as_str(), short.whole().to_string().as_str()), ("1.2", "1.2.0"));
    }
}
