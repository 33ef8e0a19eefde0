//! Which forms of time values fit.

use crate::time::{TimeFormat, TimeReader, Zone};

/// The forms that are tried, the likeliest first.
pub(super) const FORMS: [&str; 14] = [
    "rfc3339",
    "unix",
    "unix_ms",
    "unix_us",
    "unix_ns",
    "apache",
    "rfc2822",
    "iso8601",
    "%Y/%m/%d %H:%M:%S%.f",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S%.f",
    "%Y%m%d%H%M%S",
];

/// How many values fit each form.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    counts: [usize; FORMS.len()],
}

impl Forms {
    /// Looks at a value; `number`: it is a JSON number.
    pub(super) fn see(&mut self, text: &str, number: bool) {
        // What has no digit, or too many characters, is no time.
        if text.len() > 64 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return;
        }
        for (count, form) in self.counts.iter_mut().zip(FORMS) {
            let Ok(format) = TimeFormat::parse(form) else { continue };
            let epoch = matches!(format, TimeFormat::Epoch(_));
            // Eight digits are a date to ISO 8601 and an identifier to everybody else.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            if (number && !epoch) || (digits && !epoch && text.len() != 14) {
                continue;
            }
            let reader = TimeReader { formats: vec![format], zone: Zone::UTC };
            *count += usize::from(reader.read_text(text).is_ok());
        }
    }

    /// How many values fit a form.
    pub(super) fn fits(&self, form: &str) -> usize {
        FORMS
            .iter()
            .position(|known| *known == form)
            .and_then(|index| self.counts.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// The first form that fits at least nine in ten of `all` values.
    pub(super) fn best(&self, all: usize) -> Option<&'static str> {
        let fits = self.counts.iter().position(|count| *count > 0 && *count * 10 >= all * 9)?;
        FORMS.get(fits).copied()
    }
}
