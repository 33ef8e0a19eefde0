//! The embedded engine against batch engines, as whole processes in one run, interleaved.
//!
//! usage: bench-engine --weir BINARY [--python PYTHON] [--flink PYTHON] [--sql FOLDER] [--folder FOLDER] [--events N] [--rounds N] [PART…]
//!
//! Parts: `queries` (Q1 to Q3 beside the peers), `unstructured`, `wide`, `keys`, `start`, `cores`; all of them when none is named.
//! Prints Markdown tables. Processor time is user and system time of the whole process, start-up included; of several
//! rounds the least counts, as the machine may be busy with something else.

mod data;
mod measure;
mod peers;
mod queries;
mod wide;

use std::{
    collections::BTreeMap,
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use data::Shape;
use measure::{Cost, measure};
use queries::Query;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: bench-engine --weir BINARY [--python PYTHON] [--flink PYTHON] [--sql FOLDER] [--folder FOLDER] [--events N] [--rounds N] [queries|unstructured|wide|keys|start|cores]…";
/// What the issue asks: two million events of a thousand devices.
const EVENTS: u64 = 2_000_000;
const DEVICES: u64 = 1_000;
const MANY_DEVICES: u64 = 100_000;
/// A start is measured on a file of this many events, this often.
const START_EVENTS: u64 = 1_000;
const STARTS: usize = 20;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, [report, command @ ..])) if first == "measure" => measure::measuring_process(report, command),
        Some((first, [query, input, output])) if first == "datafusion" => peers::datafusion(query, input, output),
        _ => Bench::parse(&arguments)?.run(),
    }
}

/// One part of the benchmark, which prints its own table.
type Part = fn(&Bench) -> Result<(), BoxError>;

struct Bench {
    weir: PathBuf,
    /// Python with DuckDB, and with Apache Flink.
    python: Option<PathBuf>,
    flink: Option<PathBuf>,
    sql: PathBuf,
    folder: PathBuf,
    events: u64,
    rounds: usize,
    parts: Vec<String>,
}

impl Bench {
    fn parse(arguments: &[String]) -> Result<Self, BoxError> {
        let mut named: BTreeMap<&str, &str> = BTreeMap::new();
        let mut parts = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.strip_prefix("--") {
                Some(name) => {
                    named.insert(name, rest.next().ok_or(USAGE)?);
                }
                None => parts.push(argument.clone()),
            }
        }
        let path = |name: &str| named.get(name).map(PathBuf::from);
        let number = |name: &str, default: u64| named.get(name).map_or(Ok(default), |n| n.parse());
        Ok(Self {
            weir: path("weir").ok_or(USAGE)?,
            python: path("python"),
            flink: path("flink"),
            sql: path("sql").unwrap_or_else(|| "sql".into()),
            folder: path("folder").unwrap_or_else(|| ".weir/bench".into()),
            events: number("events", EVENTS)?,
            rounds: usize::try_from(number("rounds", 3)?)?,
            parts,
        })
    }

    fn run(&self) -> Result<(), BoxError> {
        fs::create_dir_all(&self.folder)?;
        let parts: [(&str, Part); 6] = [
            ("queries", Self::queries),
            ("unstructured", Self::unstructured),
            ("wide", Self::wide),
            ("keys", Self::keys),
            ("start", Self::start),
            ("cores", Self::cores),
        ];
        if let Some(unknown) = self.parts.iter().find(|p| !parts.iter().any(|(name, _)| p == name)) {
            return Err(format!("no part {unknown}\n{USAGE}").into());
        }
        for (name, part) in parts {
            if self.parts.is_empty() || self.parts.iter().any(|p| p == name) {
                part(self)?;
            }
        }
        Ok(())
    }

    /// Q1 to Q3: `weir run` beside each peer that is there.
    fn queries(&self) -> Result<(), BoxError> {
        let input = data::file(&self.folder, Shape { events: self.events, devices: DEVICES })?;
        say(
            "\n## Queries\n\n| query | engine | CPU s per million | wall s | peak MB | weir ÷ this (CPU) |\n|---|---|---|---|---|---|\n",
        )?;
        for query in [Query::Q1, Query::Q2, Query::Q3] {
            let mut commands = vec![("weir", self.weir_command(query, &input, &[])?)];
            for (peer, command) in self.peers(query, &input)? {
                commands.push((peer, command));
            }
            let costs = self.interleaved(&commands)?;
            let mut engines: Vec<&str> = commands.iter().map(|(engine, _)| *engine).collect();
            let mut rows: Vec<(&str, Cost)> = engines.iter().copied().zip(costs).collect();
            if let Some(python) = &self.flink {
                rows.extend(peers::flink(python, query.name(), &input, &self.output("Flink", query))?);
                engines.push("Flink");
            }
            self.same_rows(query, engines.into_iter())?;
            let own = rows.first().map_or(f64::NAN, |(_, c)| c.cpu);
            for (engine, cost) in &rows {
                self.row(query, engine, cost, Some(own / cost.cpu), self.events)?;
            }
        }
        Ok(())
    }

    /// An engine that gave other rows than the rest did other work: its time says nothing.
    fn same_rows<'a>(&self, query: Query, engines: impl Iterator<Item = &'a str>) -> Result<(), BoxError> {
        let mut counts = Vec::new();
        for engine in engines {
            let rows = fs::read(self.output(engine, query))?.iter().filter(|b| **b == b'\n').count();
            counts.push((engine, rows));
        }
        match counts.first() {
            Some((_, rows)) if counts.iter().any(|(_, other)| other != rows) => {
                Err(format!("{} gives different numbers of rows: {counts:?}", query.name()).into())
            }
            _ => Ok(()),
        }
    }

    /// Where an engine writes the rows of a query.
    fn output(&self, engine: &str, query: Query) -> PathBuf {
        self.folder.join(format!("{}-{}.json", engine.to_lowercase(), query.name().replace(' ', "-")))
    }

    /// The forms that rules use, against the typed Q2.
    fn unstructured(&self) -> Result<(), BoxError> {
        let input = data::file(&self.folder, Shape { events: self.events, devices: DEVICES })?;
        say(
            "\n## Unstructured events\n\n| query | engine | CPU s per million | wall s | peak MB | this ÷ typed Q2 (CPU) |\n|---|---|---|---|---|---|\n",
        )?;
        let queries = [Query::Q2, Query::Q2Unstructured, Query::Q2Typed, Query::Q2Tolerant];
        let commands = queries
            .iter()
            .map(|q| Ok(("weir", self.weir_command(*q, &input, &[])?)))
            .collect::<Result<Vec<_>, BoxError>>()?;
        let costs = self.interleaved(&commands)?;
        let typed = costs.first().map_or(f64::NAN, |c| c.cpu);
        for (query, cost) in queries.iter().zip(&costs) {
            self.row(*query, "weir", cost, Some(cost.cpu / typed), self.events)?;
        }
        Ok(())
    }

    /// Ten fields of a wide event: a declared stream against a typed table.
    fn wide(&self) -> Result<(), BoxError> {
        let input = wide::file(&self.folder, self.events)?;
        say(
            "\n## Wide events\n\n| query | source | CPU s per million | wall s | peak MB | this ÷ typed table (CPU) |\n|---|---|---|---|---|---|\n",
        )?;
        let output = |name: &str| self.folder.join(format!("wide-{}.json", name.replace(' ', "-")));
        let mut commands = Vec::new();
        for (name, text_of) in wide::programs(&input, output) {
            let program = output(name).with_extension("sql");
            fs::write(&program, text_of)?;
            commands.push((name, vec![text(&self.weir), "run".to_owned(), text(&program)]));
        }
        let costs = self.interleaved(&commands)?;
        let rows = |name: &str| Ok::<_, BoxError>(fs::read(output(name))?.iter().filter(|b| **b == b'\n').count());
        if let [(one, _), (other, _)] = commands.as_slice()
            && rows(one)? != rows(other)?
        {
            return Err(format!("{one} gives {} rows, {other} {}", rows(one)?, rows(other)?).into());
        }
        let typed = costs.first().map_or(f64::NAN, |cost| cost.cpu);
        for ((name, _), cost) in commands.iter().zip(&costs) {
            say(&format!(
                "| filter on ten fields | {name} | {:.3} | {:.2} | {:.0} | {:.2} |\n",
                cost.cpu / (self.events as f64 / 1e6),
                cost.wall,
                cost.peak_mb,
                cost.cpu / typed
            ))?;
        }
        Ok(())
    }

    /// Many keys, and a long window at short steps.
    fn keys(&self) -> Result<(), BoxError> {
        say(
            "\n## Many keys and long windows\n\n| query | engine | CPU s per million | wall s | peak MB | |\n|---|---|---|---|---|---|\n",
        )?;
        for (devices, name) in [(DEVICES, "weir, 1,000 keys"), (MANY_DEVICES, "weir, 100,000 keys")] {
            let input = data::file(&self.folder, Shape { events: self.events, devices })?;
            for query in [Query::Q2, Query::LongHop] {
                let costs = self.interleaved(&[("weir", self.weir_command(query, &input, &[])?)])?;
                for cost in costs {
                    self.row(query, name, &cost, None, self.events)?;
                }
            }
        }
        Ok(())
    }

    /// From the start of the process to its first row, and to its end, on a small file.
    fn start(&self) -> Result<(), BoxError> {
        let input = data::file(&self.folder, Shape { events: START_EVENTS, devices: DEVICES })?;
        let command = self.weir_command(Query::All, &input, &[])?;
        let mut costs = Vec::new();
        for _ in 0..STARTS {
            costs.push(measure(&command, &self.folder)?);
        }
        let least = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(f64::INFINITY, f64::min);
        let median = |of: fn(&Cost) -> f64| {
            let mut all: Vec<f64> = costs.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        say(&format!(
            "\n## Start\n\n1,000 events, {STARTS} runs: first row after {:.0} ms (median; least {:.0}), end after {:.0} ms (least {:.0}), {:.0} ms of CPU.\n",
            median(|c| c.first_output) * 1e3,
            least(|c| c.first_output) * 1e3,
            median(|c| c.wall) * 1e3,
            least(|c| c.wall) * 1e3,
            median(|c| c.cpu) * 1e3
        ))
    }

    /// One core against two.
    fn cores(&self) -> Result<(), BoxError> {
        let input = data::file(&self.folder, Shape { events: self.events, devices: DEVICES })?;
        say(
            "\n## Cores\n\n| query | parallelism | CPU s per million | wall s | peak MB | cores kept busy |\n|---|---|---|---|---|---|\n",
        )?;
        for query in [Query::Q1, Query::Q2, Query::Q3, Query::Q2Unstructured, Query::Q2Tolerant] {
            let commands = [
                ("1", self.weir_command(query, &input, &["--parallelism", "1"])?),
                ("2", self.weir_command(query, &input, &["--parallelism", "2"])?),
            ];
            let costs = self.interleaved(&commands)?;
            for ((cores, _), cost) in commands.iter().zip(&costs) {
                self.row(query, cores, cost, Some(cost.cpu / cost.wall), self.events)?;
            }
        }
        Ok(())
    }

    /// Runs the commands in turn, round after round; the least of each.
    fn interleaved(&self, commands: &[(&str, Vec<String>)]) -> Result<Vec<Cost>, BoxError> {
        let mut best: Vec<Option<Cost>> = vec![None; commands.len()];
        for _ in 0..self.rounds.max(1) {
            for ((_, command), best) in commands.iter().zip(&mut best) {
                let cost = measure(command, &self.folder)?;
                *best = Some(best.map_or(cost, |b| Cost {
                    cpu: b.cpu.min(cost.cpu),
                    wall: b.wall.min(cost.wall),
                    peak_mb: b.peak_mb.max(cost.peak_mb),
                    first_output: b.first_output.min(cost.first_output),
                }));
            }
        }
        Ok(best.into_iter().flatten().collect())
    }

    fn row(&self, query: Query, engine: &str, cost: &Cost, ratio: Option<f64>, events: u64) -> Result<(), BoxError> {
        let ratio = ratio.map_or_else(String::new, |r| format!("{r:.2}"));
        let per_million = cost.cpu / (events as f64 / 1e6);
        say(&format!(
            "| {} | {engine} | {per_million:.3} | {:.2} | {:.0} | {ratio} |\n",
            query.name(),
            cost.wall,
            cost.peak_mb
        ))
    }

    fn weir_command(&self, query: Query, input: &Path, more: &[&str]) -> Result<Vec<String>, BoxError> {
        let name = query.name().replace(' ', "-");
        let output = self.output("weir", query);
        let pack = match query {
            Query::Q2Tolerant => pack(&self.sql, "tolerant")?,
            Query::Q2Typed => pack(&self.sql, "typed")?,
            _ => String::new(),
        };
        let program = self.folder.join(format!("{name}-{}.sql", file_stem(input)));
        fs::write(&program, queries::arroyo(query, input, &output, &pack))?;
        let mut command = vec![text(&self.weir), "run".to_owned(), text(&program)];
        command.extend(more.iter().map(|m| (*m).to_owned()));
        Ok(command)
    }

    /// The peers that are there, each with its command.
    fn peers(&self, query: Query, input: &Path) -> Result<Vec<(&'static str, Vec<String>)>, BoxError> {
        let Some(sql) = queries::batch(query) else { return Ok(Vec::new()) };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        let output = |peer: &str| text(&self.output(peer, query));
        let mut peers = Vec::new();
        if let Some(python) = &self.python {
            let script = text(&scripts.join("peer_duckdb.py"));
            let cores = std::thread::available_parallelism()?.to_string();
            peers.push(("DuckDB", vec![text(python), script, sql.to_owned(), text(input), output("DuckDB"), cores]));
        }
        let own = text(&std::env::current_exe()?);
        peers.push((
            "DataFusion",
            vec![own, "datafusion".to_owned(), sql.to_owned(), text(input), output("DataFusion")],
        ));
        Ok(peers)
    }
}

/// The source and the views of `sql/tables.sql`, by event time, with the file in the stream's place.
fn pack(sql: &Path, decode: &str) -> Result<String, BoxError> {
    let tables = fs::read_to_string(sql.join("tables.sql"))?;
    let until = tables.find("-- Where rules write").ok_or("sql/tables.sql has no sinks")?;
    let chosen = [format!("decode = \"{decode}\""), "time = \"event\"".to_owned()];
    let mut kept = String::new();
    let mut open: Vec<bool> = Vec::new();
    for line in tables.get(..until).unwrap_or_default().lines() {
        let line = line.trim();
        if let Some(condition) = line.strip_prefix("-- @if ") {
            open.push(chosen.iter().any(|c| c == condition));
        } else if line == "-- @end" {
            open.pop();
        } else if open.iter().all(|o| *o) {
            let line = match line.strip_prefix("'source.offset' = '${source_offset}', ") {
                Some(rest) => rest,
                None if line.starts_with("connector = 'kinesis'") => {
                    "connector = 'single_file', type = 'source', path = '{in}',"
                }
                None => line,
            };
            kept.push_str(&line.replace("${watermark_delay}", "INTERVAL '2 seconds'"));
            kept.push('\n');
        }
    }
    Ok(kept)
}

fn file_stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn say(text: &str) -> Result<(), BoxError> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
