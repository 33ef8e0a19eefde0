#!/usr/bin/env bash
# Measures the alerter against a Python handler that does one put_item and one publish a record; prints a table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.weir/bench-venv
if [[ ! -f "$venv/installed" ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.43.106
  touch "$venv/installed"
fi

# What AWS gets, built for this machine.
case "$(uname -m)" in
  aarch64 | arm64) arch=arm64 ;;
  *) arch=x86_64 ;;
esac
# What is measured is the function: the check of each request costs the emulator time.
export WEIR_EMULATOR_CHECKS_REQUESTS=0
scripts/package-lambda.sh "$arch" >/dev/null
dir="$(mktemp -d)"
trap 'rm -rf "$dir"' EXIT
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("bootstrap", sys.argv[2])' dist/alerter.zip "$dir"
chmod +x "$dir/bootstrap"

echo "| what | function | measured |"
echo "|---|---|---|"
cargo run --quiet --locked -p weir-lambda-tests --bin bench-alerter -- \
  "$dir/bootstrap" dist/alerter.zip "$PWD/$venv/bin/python" "$PWD/tests/bench/baseline_alerter.py"
