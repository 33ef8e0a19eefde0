#!/usr/bin/env bash
# Measures the embedded engine beside its peers, then the alerter beside a plain Python handler; prints Markdown tables.
#   PEERS="duckdb flink"   which peers to install and run; DataFusion is always there. Flink needs Java and a gigabyte of packages
#   ARGS="queries start"   which parts, and options of bench-engine (--events N, --rounds N); "alerter" for the alerter alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra peers <<<"${PEERS:-duckdb}"
read -ra arguments <<<"${ARGS:-}"
target="${CARGO_TARGET_DIR:-target}"

# A virtual environment a peer: they ask for different versions of the same packages.
environment() { # name requirement…
  local folder=".weir/bench-$1"
  shift
  if [[ ! -f "$folder/installed" ]]; then
    echo "installing $*" >&2
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    touch "$folder/installed"
  fi
  echo "$PWD/$folder/bin/python"
}

if [[ "${arguments[*]}" != alerter ]]; then
  cargo build --release --locked --workspace
  options=()
  for peer in "${peers[@]}"; do
    case "$peer" in
      duckdb) python="$(environment duckdb duckdb==2.0.1)" && options+=(--python "$python") ;;
      flink)
        command -v java >/dev/null || { echo "error: Flink needs java; hint: PEERS=duckdb" >&2; exit 2; }
        python="$(environment flink apache-flink==2.3.0)" && options+=(--flink "$python")
        ;;
      *) echo "error: no peer $peer; hint: PEERS=\"duckdb flink\"" >&2; exit 2 ;;
    esac
  done
  "$target/release/bench-engine" --weir "$(realpath "$target/release/weir")" "${options[@]}" "${arguments[@]}"
fi
if [[ ${#arguments[@]} -eq 0 || "${arguments[*]}" == alerter ]]; then
  scripts/bench-alerter.sh
fi
