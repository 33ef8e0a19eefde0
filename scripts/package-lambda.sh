#!/bin/sh
# Packs the Lambdas.
# usage: scripts/package-lambda.sh arm64|x86_64   for AWS: dist/NAME.zip, optimized and built for that machine
#        scripts/package-lambda.sh local          for the local stack: dist/local/NAME.zip, of what `cargo build` left
#
# For AWS it builds with cargo-zigbuild, on any machine for either architecture: the linker comes with it, and it links
# against the glibc that Lambda has. It installs what it lacks: cargo-zigbuild and zig from PyPI into .weir/, and the
# target's standard library with rustup. The same source gives the same bytes.
set -eu

usage="usage: scripts/package-lambda.sh arm64|x86_64|local"
kind=${1:?$usage}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
lambdas="alerter gate heartbeat"

# Amazon Linux 2023, which `provided.al2023` is, ships this glibc. package-lambda.py checks the result against it.
# https://docs.aws.amazon.com/linux/al2023/release-notes/vercmp-AL2-AL2023.5.html
# WEIR_LAMBDA_GLIBC names an older one, for packages that the local stack of an older machine runs, too.
glibc=${WEIR_LAMBDA_GLIBC:-2.34}
zig_packages="cargo-zigbuild==0.24.1 ziglang==0.17.1"

case $kind in
arm64) target=aarch64-unknown-linux-gnu ;;
x86_64) target=x86_64-unknown-linux-gnu ;;
local)
    # What runs on this machine needs no check: no limit of AWS may stop the local stack.
    built=${CARGO_TARGET_DIR:-target}/debug
    for name in $lambdas; do
        [ -x "$built/$name" ] || {
            echo "package-lambda: $built/$name is missing" >&2
            echo "hint: cargo build --workspace builds it; make build does both" >&2
            exit 1
        }
        python3 scripts/package-lambda.py "$built/$name" "dist/local/$name.zip"
    done
    exit
    ;;
*)
    echo "package-lambda: \`$kind\` is no architecture of Lambda" >&2
    echo "$usage" >&2
    exit 2
    ;;
esac

# The linker.
zig=$root/.weir/zig
if [ "$(cat "$zig/installed" 2>/dev/null)" != "$zig_packages" ]; then
    echo "package-lambda: installing $zig_packages into .weir/" >&2
    rm -rf "$zig"
    python3 -m venv "$zig"
    # shellcheck disable=SC2086 # two words, two packages
    "$zig/bin/pip" install --quiet --disable-pip-version-check $zig_packages || {
        echo "package-lambda: PyPI was not reached" >&2
        echo "hint: run this once with network, or set PIP_INDEX_URL or PIP_FIND_LINKS" >&2
        exit 1
    }
    echo "$zig_packages" >"$zig/installed"
fi

# The standard library.
if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
    command -v rustup >/dev/null && rustup target add "$target" || {
        echo "package-lambda: this Rust has no standard library for $target" >&2
        echo "hint: rustup target add $target; or your distribution's package of it" >&2
        exit 1
    }
fi

# A target folder of its own: these flags differ from everybody else's, and cargo rebuilds all that they touch.
folder=${WEIR_LAMBDA_TARGET_DIR:-$root/target-lambda}
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# No path of this machine and no build id may reach the binary. The Lambdas are built together: cargo then unifies the
# features of what they share once, instead of building it for each.
PATH="$zig/bin:$PATH" \
    RUSTFLAGS="--remap-path-prefix=$root=/weir --remap-path-prefix=$cargo_home=/cargo -C link-arg=-Wl,--build-id=none" \
    cargo zigbuild --quiet --locked --profile lambda --target "$target.$glibc" --target-dir "$folder" \
    -p weir-alerter -p weir-gate -p weir-heartbeat --bins

for name in $lambdas; do
    python3 scripts/package-lambda.py --arch "$kind" "$folder/$target/lambda/$name" "dist/$name.zip"
done
