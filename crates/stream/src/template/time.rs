//! Times as the first form of a stream writes them.

use chrono::{DateTime, FixedOffset, TimeZone, Utc};
use serde_json::{Value, json};

use crate::time::{Pattern, TimeFormat, TimeReader, Unit, Zone};

/// A time in the reader's first form; epoch times as a number where they were one.
pub(super) fn number_or_text(reader: &TimeReader, nanos: i64, as_number: bool) -> Result<Value, String> {
    let format = reader.formats.first().ok_or("the stream's time has no form")?;
    let unit = match format {
        TimeFormat::Rfc3339 | TimeFormat::Iso8601 => {
            return Ok(weir_anomaly::Timestamp::from_nanos(nanos).to_string().into());
        }
        TimeFormat::Pattern(pattern) => return by_pattern(pattern, &reader.zone, nanos).map(Value::String),
        TimeFormat::Epoch(unit) => unit,
    };
    let whole = match unit {
        Unit::Seconds => 1_000_000_000,
        Unit::Millis => 1_000_000,
        Unit::Micros => 1_000,
        Unit::Nanos => 1,
    };
    let (units, rest) = (nanos.div_euclid(whole), nanos.rem_euclid(whole));
    let text = if rest == 0 {
        units.to_string()
    } else {
        let digits = whole.ilog10() as usize;
        format!("{units}.{rest:0digits$}").trim_end_matches('0').to_owned()
    };
    if !as_number {
        return Ok(text.into());
    }
    Ok(if rest == 0 { json!(units) } else { json!(text.parse::<f64>().map_err(|error| error.to_string())?) })
}

fn by_pattern(pattern: &Pattern, zone: &Zone, nanos: i64) -> Result<String, String> {
    let utc = Utc.timestamp_nanos(nanos);
    let text = pattern.text();
    // These are not chrono's: seconds' digits alone are nine there too, but written `%9f`; hours of twelve are padded.
    let text = text.replace("%L", "%f").replace("%k", "%H").replace("%l", "%I");
    let written = match zone {
        Zone::Named(zone) => written(&utc.with_timezone(zone), &text),
        Zone::Fixed(east) => {
            let east = i32::try_from(*east).ok().and_then(FixedOffset::east_opt).ok_or("the zone is none")?;
            // `%Z` of an offset would be its digits, which are no name.
            let text = if east.local_minus_utc() == 0 { text.replace("%Z", "UTC") } else { text };
            written(&utc.with_timezone(&east), &text)
        }
    };
    written.ok_or_else(|| format!("no time can be written as `{}`", pattern.text()))
}

fn written<Z: TimeZone<Offset: std::fmt::Display>>(time: &DateTime<Z>, pattern: &str) -> Option<String> {
    let mut out = String::new();
    std::fmt::write(&mut out, format_args!("{}", time.format(pattern))).ok()?;
    Some(out)
}
