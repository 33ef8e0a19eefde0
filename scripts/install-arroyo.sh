#!/usr/bin/env bash
# Arroyo's official release for local use: one version, checked against a hash.
#   install-arroyo.sh          installs it as .weir/bin/arroyo
#   install-arroyo.sh --lock   writes scripts/arroyo.lock: downloads the release and notes its hash, on a machine that you trust
# The hash is ARROYO_SHA256, or the one that scripts/arroyo.lock has for this platform (it says where those are from). Without
# either nothing is installed.
set -euo pipefail

version=0.15.0
# Where the release is downloaded from; a mirror of one's own may serve the same files.
releases="${ARROYO_RELEASES:-https://github.com/ArroyoSystems/arroyo/releases/download}"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
lock="$root/scripts/arroyo.lock"

fail() {
  echo "install-arroyo: $1" >&2
  [[ -z "${2:-}" ]] || echo "hint: $2" >&2
  exit 1
}

# Names of the release's files, by kernel and machine.
asset() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo "arroyo-linux-x86_64-python.tar.gz" ;;
    Linux-aarch64 | Linux-arm64) echo "arroyo-linux-aarch64-python.tar.gz" ;;
    Darwin-arm64) echo "arroyo-macos-m1-python.tar.gz" ;;
    Darwin-x86_64) echo "arroyo-macos-x86_64-python.tar.gz" ;;
    *) fail "there is no release of Arroyo for $(uname -s) $(uname -m)" "build it: https://github.com/ArroyoSystems/arroyo" ;;
  esac
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

download() {
  local url="$releases/v$version/$1"
  curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --retry 3 --max-time 900 --output "$2" "$url" ||
    fail "$url cannot be downloaded" "offline? copy an \`arroyo\` $version here and name it in ARROYO_BIN, or run the rules on the embedded engine: leave out ENGINE=arroyo"
}

case "${1:-}" in
  "" | --lock) ;;
  *)
    echo "usage: install-arroyo.sh [--lock]" >&2
    exit 2
    ;;
esac
command -v curl >/dev/null || fail "curl was not found"

name="$(asset)"
expected="${ARROYO_SHA256:-}"
if [[ -z "$expected" && -f "$lock" ]]; then
  expected="$(awk -v version="$version" -v name="$name" '$1 == version && $2 == name { print $3 }' "$lock")"
fi
if [[ "${1:-}" != --lock ]]; then
  [[ -n "$expected" ]] ||
    fail "no hash is known of $name $version, so nothing is installed" "set ARROYO_SHA256 to the one that you trust, or note what is downloaded now: scripts/install-arroyo.sh --lock"
  [[ "$expected" =~ ^[0-9a-f]{64}$ ]] || fail "\`$expected\` is no SHA-256" "it is 64 hex digits in lower case"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
download "$name" "$work/$name"
found="$(sha256 "$work/$name")"

if [[ "${1:-}" == --lock ]]; then
  touch "$lock"
  { grep -v "^$version $name " "$lock" || true; echo "$version $name $found"; } >"$work/lock"
  { grep '^#' "$work/lock" || true; grep -v '^#' "$work/lock" | sort; } >"$lock"
  echo "scripts/arroyo.lock: $version $name $found"
  exit 0
fi

[[ "$found" == "$expected" ]] || fail "$name has the hash $found, not $expected: nothing is installed" "somebody changed the file, or the hash is another version's"
tar -xzf "$work/$name" -C "$work"
binary="$(find "$work" -type f -name 'arroyo*' ! -name '*.tar.gz' | head -n 1)"
[[ -n "$binary" ]] || fail "$name holds no arroyo"
mkdir -p "$root/.weir/bin"
install -m 755 "$binary" "$root/.weir/bin/arroyo"
"$root/.weir/bin/arroyo" --version >&2 ||
  fail "what was installed does not start" "the release is built with Python: it needs the library of Python 3.12"
echo "export ARROYO_BIN=$root/.weir/bin/arroyo"
