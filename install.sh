#!/bin/sh
# Puts a release of Weir in place.
# usage: install.sh VERSION|FOLDER [--prefix DIR]
#
# VERSION is downloaded from $WEIR_RELEASES/vVERSION; FOLDER holds an archive that scripts/release.sh made, and its SHA256SUMS.
# The archive's hash is checked before anything of it is used. It is unpacked to DIR/lib/weir/VERSION, and DIR/bin/weir leads
# there; DIR is ~/.local unless it is given. Versions stay beside one another.
set -eu

usage="usage: install.sh VERSION|FOLDER [--prefix DIR]"
fail() {
    echo "install: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

from="" prefix=""
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) echo "$usage" && exit 0 ;;
    --prefix) prefix=${2:?$usage} && shift ;;
    -*) echo "$usage" >&2 && exit 2 ;;
    *) from=$1 ;;
    esac
    shift
done
[ -n "$from" ] || { echo "$usage" >&2 && exit 2; }
prefix=${prefix:-${HOME:?HOME is not set: name a folder with --prefix}/.local}

[ "$(uname -s)" = Linux ] || fail "releases are for Linux, this is $(uname -s)" "build it from source: make install"
arch=$(uname -m)
case $arch in
x86_64 | aarch64) ;;
arm64) arch=aarch64 ;;
*) fail "there is no release for $arch" "build it from source: make install" ;;
esac

sum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -d "$from" ]; then
    found=$(find "$from" -maxdepth 1 -name "weir-*-$arch-linux.tar.gz" | LC_ALL=C sort | tail -n 1)
    [ -n "$found" ] || fail "$from holds no weir-VERSION-$arch-linux.tar.gz"
    archive=$found sums=$from/SHA256SUMS
else
    case $from in
    [0-9]*) ;;
    *) fail "\`$from\` is neither a folder nor a version" ;;
    esac
    [ -n "${WEIR_RELEASES:-}" ] || fail "WEIR_RELEASES is not set: nobody said where releases are" "WEIR_RELEASES=https://… install.sh $from"
    archive=$work/weir-$from-$arch-linux.tar.gz sums=$work/SHA256SUMS
    for file in "$archive" "$sums"; do
        url=$WEIR_RELEASES/v$from/$(basename "$file")
        curl -fsSL --retry 3 -o "$file" "$url" || fail "$url cannot be downloaded"
    done
fi

base=$(basename "$archive")
[ -f "$sums" ] || fail "there is no SHA256SUMS beside $base" "whoever made the archive made it, too"
wanted=$(awk -v name="$base" '$2 == name || $2 == "*" name { print $1 }' "$sums")
[ -n "$wanted" ] || fail "SHA256SUMS does not name $base"
have=$(sum "$archive")
[ "$have" = "$wanted" ] || fail "$base is not what SHA256SUMS says: $have, not $wanted" "download both again"

name=${base%.tar.gz}
version=${name#weir-}
version=${version%-"$arch"-linux}
tar -xzf "$archive" -C "$work"
[ -x "$work/$name/bin/weir" ] || fail "$base holds no $name/bin/weir"

# Whole or not at all: what runs meanwhile keeps its files.
home=$prefix/lib/weir
mkdir -p "$home" "$prefix/bin"
rm -rf "$home/.new" && mv "$work/$name" "$home/.new"
rm -rf "${home:?}/$version" && mv "$home/.new" "$home/$version"
link() {
    mkdir -p "$(dirname "$2")"
    ln -s "$1" "$2.new" && mv -f "$2.new" "$2"
}
link "../lib/weir/$version/bin/weir" "$prefix/bin/weir"
link "../../../lib/weir/$version/completions/weir.bash" "$prefix/share/bash-completion/completions/weir"
link "../../../lib/weir/$version/completions/_weir" "$prefix/share/zsh/site-functions/_weir"
link "../../../lib/weir/$version/completions/weir.fish" "$prefix/share/fish/vendor_completions.d/weir.fish"
for page in "$home/$version"/man/man1/*.1; do
    [ ! -f "$page" ] || link "../../../lib/weir/$version/man/man1/$(basename "$page")" "$prefix/share/man/man1/$(basename "$page")"
done

echo "weir $version is in place: $prefix/bin/weir" >&2
case ":${PATH:-}:" in
*":$prefix/bin:"*) ;;
*) echo "hint: $prefix/bin is not on PATH: export PATH=\"$prefix/bin:\$PATH\"" >&2 ;;
esac
echo "next: weir init plant && cd plant && weir test" >&2
