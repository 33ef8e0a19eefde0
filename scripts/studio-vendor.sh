#!/usr/bin/env bash
# The libraries of the page of `weir studio`: `build` makes crates/studio/web/app/vendor.js from its lock file, `check` makes it again
# elsewhere, compares the bytes, and checks the types of the page's own modules. Without Node a check says so and passes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../crates/studio/web"

if ! command -v npm >/dev/null; then
  [[ "${1:-}" == check ]] && { echo "skipped: no npm on this machine, so vendor.js is taken as it is"; exit 0; }
  echo "error: npm was not found; hint: install Node 20 or newer" >&2
  exit 1
fi

# What the lock file names and nothing else, by its hashes. esbuild's own package brings its program: no script needs to run.
npm ci --prefix vendor --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
case "${1:-}" in
  build)
    npm run --silent --prefix vendor build
    ;;
  check)
    made="$(mktemp -d)"
    trap 'rm -rf "$made"' EXIT
    (cd vendor && npx --no-install esbuild entry.js --bundle --format=esm --minify --target=es2022 --legal-comments=none --charset=utf8 \
      --log-level=error --outfile="$made/vendor.js")
    cmp "$made/vendor.js" app/vendor.js || { echo "vendor.js is not what its lock file makes; hint: make studio-vendor" >&2; exit 1; }
    cmp vendor/node_modules/uplot/dist/uPlot.min.css app/uplot.css
    npm run --silent --prefix vendor check
    echo "vendor.js is what its lock file makes ($(wc -c <app/vendor.js) bytes); the page's types hold"
    ;;
  *)
    echo "usage: scripts/studio-vendor.sh build|check" >&2
    exit 2
    ;;
esac
