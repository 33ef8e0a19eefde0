//! Runs a program from a file and prints what was counted: `cargo run --release -p weir-engine --example run -- FILE.sql`.

use std::time::Instant;

use weir_engine::{PlanOptions, RunOptions, plan, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: run FILE.sql")?;
    let started = Instant::now();
    let program = plan(&std::fs::read_to_string(path)?, &PlanOptions::default()).map_err(|e| e.to_string())?;
    let planned = started.elapsed();
    let threads = std::env::var("THREADS").ok().and_then(|t| t.parse().ok()).unwrap_or(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let mut options = RunOptions::default();
    if let Some(batch) = std::env::var("BATCH").ok().and_then(|t| t.parse().ok()) {
        options.batch_size = batch;
    }
    let report = runtime.block_on(run(&program, options, std::future::pending())).map_err(|e| e.to_string())?;
    let text = serde_json::to_string(&report)?;
    std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("{text}\nplanned in {planned:?}, all in {:?}\n", started.elapsed()).as_bytes(),
    )?;
    Ok(())
}
