#!/usr/bin/env bash
# The local AWS emulator (MiniStack, MIT), in a virtual environment of this project.
#   local-aws.sh install   installs it, once
#   local-aws.sh run       runs it on 127.0.0.1:$GATEWAY_PORT until it is ended
#   local-aws.sh check     says whether each of our patches still fits the emulator and is still needed
# The package local_aws patches what the emulator does otherwise than AWS documents it.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.weir/venv"
packages=(ministack==1.5.33 cbor2==5.7.1)
stamp="$venv/installed"

install() {
  if [[ -f "$stamp" && "$(cat "$stamp")" == "${packages[*]}" ]]; then return; fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
    echo "local-aws: python3 is older than 3.10" >&2
    exit 1
  }
  rm -rf "$venv"
  python3 -m venv "$venv" || {
    echo "local-aws: python3 cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2
    exit 1
  }
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  echo "${packages[*]}" >"$stamp"
}

run() {
  local dir="${WEIR_EMULATOR_DIR:-$root/.weir/emulator}"
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
