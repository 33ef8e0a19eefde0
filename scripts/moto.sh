#!/usr/bin/env bash
# moto, an emulator of AWS that is independent of the one that we test with (scripts/local-aws.sh): what both say is no
# leniency of one. A pinned version from PyPI, in a virtual environment of this project.
#   moto.sh install     installs it, once
#   moto.sh run PORT    runs it on 127.0.0.1:PORT until it is ended; functions are not run, they answer at once
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
package="moto[server]==5.2.5"
venv="$root/.weir/moto"

case "${1:-}" in
install)
  [[ "$(cat "$venv/installed" 2>/dev/null)" == "$package" ]] && exit
  echo "moto: installing $package into .weir/" >&2
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$package" || {
    echo "moto: PyPI was not reached; run this once with network, or set PIP_INDEX_URL or PIP_FIND_LINKS" >&2
    exit 1
  }
  echo "$package" >"$venv/installed"
  ;;
run)
  # No Docker: https://docs.getmoto.org/en/latest/docs/services/lambda.html
  exec "$venv/bin/python" - "$2" <<'PYTHON'
import sys

from moto.core.config import default_user_config
from moto.server import main

default_user_config["lambda"]["use_docker"] = False
default_user_config["batch"]["use_docker"] = False
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
PYTHON
  ;;
*)
  echo "usage: moto.sh install|run PORT" >&2
  exit 2
  ;;
esac
