"""DuckDB on a query of the benchmark, as one batch over the whole file.

usage: peer_duckdb.py QUERY INPUT OUTPUT THREADS
"""

import sys

import duckdb

query, source, target, threads = sys.argv[1:]
connection = duckdb.connect(config={"threads": int(threads)})
connection.execute(
    "CREATE VIEW events AS SELECT * FROM read_json(?, format = 'newline_delimited', "
    "columns = {timestamp: 'TIMESTAMP', value: 'DOUBLE', source: 'VARCHAR'})".replace("?", f"'{source}'")
)
query = query.replace("date_bin(", "time_bucket(")
connection.execute(f"COPY ({query}) TO '{target}' (FORMAT json)")
