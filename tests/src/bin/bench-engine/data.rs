//! The events of the benchmark: one hour of event time, slightly out of order, the same on every machine.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// 2026-11-23T05:00:00Z in milliseconds.
const START_MILLIS: u64 = 1_795_410_000_000;
/// Event time of a file.
const SPAN_MILLIS: u64 = 3_600_000;
/// How far an event may lie behind the newest.
const DISORDER_MILLIS: u64 = 2_000;

/// What a file of events holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) events: u64,
    pub(crate) devices: u64,
}

/// The file of a shape; it is written when it is not there yet.
pub(crate) fn file(folder: &Path, shape: Shape) -> io::Result<PathBuf> {
    let path = folder.join(format!("events-{}-{}.json", shape.events, shape.devices));
    if !path.exists() {
        fs::create_dir_all(folder)?;
        let part = path.with_extension("part");
        write(&part, shape)?;
        fs::rename(&part, &path)?;
    }
    Ok(path)
}

fn write(path: &Path, shape: Shape) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = Random(1);
    for n in 0..shape.events {
        let newest = n * SPAN_MILLIS / shape.events;
        let at = START_MILLIS + newest.saturating_sub(random.below(DISORDER_MILLIS));
        let (minutes, millis) = (at / 60_000, at % 60_000);
        let device = random.below(shape.devices);
        // Four uniform parts make a bell: 50 on average, a deviation of about 11.5, two digits after the point.
        let value: u64 = (0..4).map(|_| random.below(2_000)).sum::<u64>() + 1_000;
        writeln!(
            out,
            r#"{{"timestamp":"2026-11-23T{:02}:{:02}:{:02}.{:03}Z","value":{}.{:02},"source":"device-{device}"}}"#,
            minutes / 60 % 24,
            minutes % 60,
            millis / 1_000,
            millis % 1_000,
            value / 100,
            value % 100,
        )?;
    }
    out.flush()
}

/// Marsaglia's xorshift64*: quick, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
