#!/usr/bin/env bash
# Scans terraform/ with checkov, a pinned version in an environment of its own. The first run installs it from PyPI
# (about 290 MB); later runs need no network. Further arguments go to checkov.
set -euo pipefail

version=3.3.30
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.weir/checkov-$version"

command -v python3 >/dev/null || { echo "policy-scan: python3 not found; install Python 3.9 or later" >&2; exit 1; }

if [[ ! -x "$venv/bin/checkov" ]]; then
  echo "policy-scan: installing checkov $version into .weir/" >&2
  # Built beside its place: an interrupted install must not look like a finished one.
  rm -rf "$venv.part"
  trap 'rm -rf "$venv.part"' EXIT
  mkdir -p "$root/.weir"
  python3 -m venv "$venv.part"
  "$venv.part/bin/python" -m pip install --quiet --disable-pip-version-check "checkov==$version" || {
    echo "policy-scan: PyPI was not reached; run this once on a machine with network, or set PIP_INDEX_URL or PIP_FIND_LINKS" >&2
    exit 1
  }
  mv "$venv.part" "$venv"
fi

cd "$root/terraform"
said="$(mktemp)"
trap 'rm -f "$said"' EXIT
"$venv/bin/python" -m checkov.main --config-file .checkov.yaml --directory . --var-file prod.tfvars "$@" | tee "$said"
# A file that checkov's own parser cannot read is passed over, and the scan passes.
if grep -q 'Parsing errors: [1-9]' "$said"; then
  echo "policy-scan: a file was not scanned, as checkov cannot parse it; LOG_LEVEL=WARNING says which: write it otherwise" >&2
  exit 1
fi
