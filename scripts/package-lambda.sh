#!/bin/sh
# Builds one Lambda and packs it as dist/NAME.zip, the same bytes from the same source.
# usage: scripts/package-lambda.sh alerter|heartbeat
set -eu

name=${1:?usage: scripts/package-lambda.sh alerter|heartbeat}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

case $name in
alerter | heartbeat) ;;
*)
    echo "package-lambda: there is no Lambda \`$name\`" >&2
    echo "hint: use alerter or heartbeat" >&2
    exit 2
    ;;
esac

# A target directory of its own: these flags differ from everybody else's, and cargo rebuilds all that they touch.
target=${WEIR_LAMBDA_TARGET_DIR:-$root/target-lambda}
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# No path of this machine and no build id may reach the binary. Both Lambdas are built together: cargo then unifies the
# features of what they share once, instead of building it for each.
RUSTFLAGS="--remap-path-prefix=$root=/weir --remap-path-prefix=$cargo_home=/cargo -C link-arg=-Wl,--build-id=none" \
    cargo build --quiet --locked --profile lambda --target-dir "$target" -p weir-alerter -p weir-heartbeat --bins

exec python3 scripts/package-lambda.py "$target/lambda/$name" "dist/$name.zip"
