"""Apache Flink on a query of the benchmark, as a stream: from the start, then once more in the same, by then warm, process.

usage: peer_flink.py Q1|Q2|Q3 INPUT OUTPUT THREADS

Prints what both runs cost as JSON: processor and wall seconds, and the peak memory of Python and the JVM together.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

started = time.monotonic()

from pyflink.table import EnvironmentSettings, TableEnvironment  # noqa: E402 (its import is part of the start)

TUMBLE = "TABLE(TUMBLE(TABLE events, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND))"
QUERIES = {
    "Q1": ("`at` TIMESTAMP_LTZ(3), v DOUBLE, source STRING", "SELECT `timestamp`, `value`, source FROM events WHERE `value` > 75"),
    "Q2": (
        "source STRING, `at` TIMESTAMP(3), n BIGINT, mean DOUBLE, deviation DOUBLE, low DOUBLE, high DOUBLE",
        f"""SELECT source, window_end, COUNT(*), AVG(`value`), STDDEV_SAMP(`value`), MIN(`value`), MAX(`value`) FROM {TUMBLE}
        GROUP BY window_start, window_end, source
        HAVING COUNT(*) >= 3 AND MAX(`value`) - AVG(`value`) > 2 * STDDEV_SAMP(`value`)""",
    ),
    "Q3": (
        "source STRING, `at` TIMESTAMP_LTZ(3), newest DOUBLE, mean DOUBLE, deviation DOUBLE",
        f"""SELECT * FROM (
          SELECT source, `at`, m, AVG(m) OVER w AS mean, STDDEV_SAMP(m) OVER w AS deviation FROM (
            SELECT source, window_time AS `at`, AVG(`value`) AS m FROM {TUMBLE}
            GROUP BY window_start, window_end, window_time, source)
          WINDOW w AS (PARTITION BY source ORDER BY `at` RANGE BETWEEN INTERVAL '50' SECOND PRECEDING AND CURRENT ROW))
        WHERE m - mean > 1.9 * deviation""",
    ),
}


def processes() -> list[int]:
    """This process and the JVM below it."""
    own = os.getpid()
    below = subprocess.run(["pgrep", "-P", str(own), "java"], capture_output=True, text=True).stdout.split()
    return [own, *map(int, below)]


def processor_seconds() -> float:
    ticks = 0
    for pid in processes():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def run(query: str, source: str, folder: pathlib.Path, threads: str) -> None:
    columns, select = QUERIES[query]
    shutil.rmtree(folder, ignore_errors=True)
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for key, value in {"parallelism.default": threads, "table.local-time-zone": "UTC"}.items():
        tables.get_config().set(key, value)
    tables.execute_sql(
        "CREATE TABLE events (`timestamp` TIMESTAMP_LTZ(3), `value` DOUBLE, source STRING, "
        "WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '2' SECOND) WITH ('connector' = 'filesystem', "
        f"'path' = '{source}', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')"
    )
    tables.execute_sql(
        f"CREATE TABLE written ({columns}) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json', "
        "'json.timestamp-format.standard' = 'ISO-8601')"
    )
    tables.execute_sql(f"INSERT INTO written {select}").wait()


def peak_megabytes() -> float:
    peaks = 0
    for pid in processes():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        peaks += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return peaks * 1024 / 1e6


name, read, target, cores = sys.argv[1:]
parts = pathlib.Path(target).resolve().with_suffix(".parts")
costs, before, since = {}, 0.0, started
for state in ("cold", "warm"):
    run(name, str(pathlib.Path(read).resolve()), parts, cores)
    spent, now = processor_seconds(), time.monotonic()
    costs[state] = {"cpu": spent - before, "wall": now - since, "peak_mb": peak_megabytes()}
    before, since = spent, now
with open(target, "wb") as out:
    for part in sorted(p for p in parts.rglob("*") if p.is_file()):
        out.write(part.read_bytes())
shutil.rmtree(parts)
print(json.dumps(costs))
