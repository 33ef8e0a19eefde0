#!/bin/sh
# The local AWS emulator (MiniStack, MIT), in a virtual environment of its own.
#   local-aws.sh install   installs it, once
#   local-aws.sh run       runs it on 127.0.0.1:$GATEWAY_PORT until it is ended
#   local-aws.sh check     says whether each of our patches still fits the emulator and is still needed
# The package local_aws patches what the emulator does otherwise than AWS documents it.
# WEIR_EMULATOR_VENV is where the environment is, when it is not .weir/venv beside this folder.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${WEIR_EMULATOR_VENV:-$root/.weir/venv}
packages="ministack==1.5.33 cbor2==5.7.1"

is_installed() { [ "$(cat "$venv/installed" 2>/dev/null)" = "$packages" ]; }

install() {
  if is_installed; then return; fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "local-aws: python3 is older than 3.10" >&2
    exit 1
  }
  # Beside its place, and moved there when it is whole: another command may be doing the same, or may run what is there.
  mkdir -p "$(dirname "$venv")"
  new=$(mktemp -d "$venv.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  python3 -m venv "$new" || {
    echo "local-aws: python3 cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2
    exit 1
  }
  # shellcheck disable=SC2086 # two words, two packages
  "$new/bin/python" -m pip install --quiet --disable-pip-version-check $packages || {
    echo "local-aws: the emulator was not installed: PyPI was not reached, or has no $packages for this Python" >&2
    echo "hint: run this once with network, or set PIP_INDEX_URL or PIP_FIND_LINKS" >&2
    exit 1
  }
  echo "$packages" >"$new/installed"
  if ! is_installed; then
    rm -rf "$venv"
    mv -T "$new" "$venv" 2>/dev/null || is_installed || mv "$new" "$venv"
  fi
}

run() {
  dir=${WEIR_EMULATOR_DIR:-$root/.weir/emulator}
  mkdir -p "$dir"
  cd "$dir"
  export BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="${GATEWAY_PORT:-4566}"
  export LAMBDA_EXECUTOR=local IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 TMPDIR="$dir"
  PYTHONPATH="$root/scripts" exec "$venv/bin/python" -m local_aws
}

check() {
  install
  PYTHONPATH="$root/scripts" exec "$venv/bin/python" -m local_aws.check
}

case "${1:-}" in
install) install ;;
run) run ;;
check) check ;;
*)
  echo "usage: local-aws.sh install|run|check" >&2
  exit 2
  ;;
esac
