//! What decoding costs a record, in nanoseconds of CPU: `cargo run --release -p weir-stream --example decode_speed`.
//!
//! Two records: Weir's own event, and a wide event with ten fields; each decoded by this crate into a sink that only counts,
//! and parsed into a tree by serde_json beside it.

use std::{error::Error, fs, io::Write};

use weir_stream::{Control, Declaration, Decoder, Poison, Record, RowSink, events};

const RECORDS: usize = 1_000_000;
/// The best of so many runs: what disturbs a run only makes it slower.
const RUNS: usize = 5;
/// Scheduler's clock of Linux (`/proc/self/schedstat`): nanoseconds on the CPU.
const CLOCK: &str = "/proc/self/schedstat";

/// Adds up what it is given, so that nothing is left out as unused.
#[derive(Default)]
struct Sum(u64);

impl RowSink for Sum {
    fn null(&mut self, _: usize) {}
    fn double(&mut self, _: usize, value: f64) {
        self.0 = self.0.wrapping_add(value.to_bits());
    }
    fn integer(&mut self, _: usize, value: i64) {
        self.0 = self.0.wrapping_add_signed(value);
    }
    fn boolean(&mut self, _: usize, value: bool) {
        self.0 += u64::from(value);
    }
    fn timestamp(&mut self, _: usize, nanos: i64) {
        self.0 = self.0.wrapping_add_signed(nanos);
    }
    fn text(&mut self, _: usize, value: &str) {
        self.0 += value.len() as u64;
    }
    fn json(&mut self, _: usize, value: &str) {
        self.0 += value.len() as u64;
    }
    fn end_row(&mut self, _: Option<i64>) {
        self.0 += 1;
    }
    fn refused(&mut self, _: &[u8], _: Poison) {}
    fn control(&mut self, _: Control) {}
}

const WIDE: &str = r#"
key = "device"
time = { path = "last_seen", format = "rfc3339" }
[fields]
device = { type = "text", required = true }
temperature = "double"
humidity = "double"
pressure = "double"
battery = "integer"
linkquality = "integer"
voltage = "double"
occupancy = "boolean"
firmware = { type = "text", path = "update.installed" }
state = "text"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let event = |n: usize| {
        format!(
            r#"{{"timestamp":{},"value":{}.{},"source":"pump-{}","metric":"temperature"}}"#,
            1_767_225_600_000_u64 + n as u64,
            n % 90,
            n % 1000,
            n % 1000
        )
    };
    let wide = |n: usize| {
        format!(
            r#"{{"battery":{},"device":"room-{}","humidity":{}.6,"last_seen":"2026-01-01T00:{:02}:{:02}.123Z","linkquality":{},"occupancy":true,"pressure":1001.{},"state":"ON","temperature":{}.25,"update":{{"installed":"v{}"}},"voltage":3.{}}}"#,
            n % 100,
            n % 1000,
            n % 60,
            n / 60 % 60,
            n % 60,
            n % 255,
            n % 9,
            n % 30,
            n % 7,
            n % 10
        )
    };
    let climate = Declaration::parse("climate.toml".as_ref(), WIDE)
        .map_err(|faults| faults.first().map(ToString::to_string).unwrap_or_default())?;
    compare("Weir's own event", &events::declaration(), event)?;
    compare("a wide event, ten fields", &climate, wide)
}

fn compare(what: &str, declaration: &Declaration, record: impl Fn(usize) -> String) -> Result<(), Box<dyn Error>> {
    let records: Vec<String> = (0..RECORDS / 10).map(record).collect();
    let bytes = records.iter().map(String::len).sum::<usize>() / records.len();
    let mut decoder = Decoder::new(declaration);
    let mut accepted = 0;
    let decoded = best(|| {
        let mut sum = Sum::default();
        for record in records.iter().cycle().take(RECORDS) {
            accepted += decoder.decode(Record::new(record.as_bytes()), &mut sum).rows;
        }
        sum.0
    })?;
    let tree = best(|| {
        let mut sum = 0;
        for record in records.iter().cycle().take(RECORDS) {
            let value = serde_json::from_slice::<serde_json::Value>(record.as_bytes());
            sum += value.map_or(0, |value| value.as_object().map_or(0, serde_json::Map::len)) as u64;
        }
        sum
    })?;
    if accepted != (RECORDS * RUNS) as u64 {
        return Err("a record was refused".into());
    }
    writeln!(std::io::stdout(), "{what}, {bytes} bytes: {decoded} ns a record; serde_json::Value {tree} ns")?;
    Ok(())
}

/// Nanoseconds of CPU a record, of the best run.
fn best(mut run: impl FnMut() -> u64) -> Result<u64, Box<dyn Error>> {
    let mut best = u64::MAX;
    for _ in 0..RUNS {
        let before = cpu()?;
        std::hint::black_box(run());
        best = best.min(cpu()?.saturating_sub(before));
    }
    Ok(best / RECORDS as u64)
}

fn cpu() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(CLOCK)?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}
