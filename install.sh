#!/bin/sh
# Puts a release of Weir in place.
# usage: install.sh VERSION|FOLDER [--prefix DIR]
#
# VERSION is downloaded from $WEIR_RELEASES/vVERSION; FOLDER holds an archive that scripts/release.sh made, and its SHA256SUMS: of
# several versions the newest is taken. The archive's hash is checked before anything of it is used. It is unpacked to
# DIR/lib/weir/VERSION, and DIR/bin/weir leads there; DIR is ~/.local unless it is given. Versions stay beside one another, and the
# one that was installed last is `weir`, be it older or newer.
set -eu

usage="usage: install.sh VERSION|FOLDER [--prefix DIR]"
misused() {
    echo "install: $1" >&2
    echo "$usage" >&2
    exit 2
}
fail() {
    echo "install: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

from="" prefix=""
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) echo "$usage" && exit 0 ;;
    --prefix)
        case ${2:-} in "" | -*) misused "--prefix wants a folder" ;; esac
        prefix=$2 && shift
        ;;
    --prefix=*) [ -n "${1#--prefix=}" ] || misused "--prefix wants a folder"; prefix=${1#--prefix=} ;;
    -*) misused "there is no option $1" ;;
    "") misused "VERSION or FOLDER is empty" ;;
    *)
        [ -z "$from" ] || misused "one VERSION or FOLDER at a time, not $from and $1"
        from=$1
        ;;
    esac
    shift
done
[ -n "$from" ] || misused "which VERSION, or which FOLDER?"
prefix=${prefix:-${HOME:?is not set: name a folder with --prefix}/.local}

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
new=""
trap 'rm -rf "$work" ${new:+"$new"}' EXIT
trap 'exit 1' HUP INT TERM
if [ -d "$from" ]; then
    # By their numbers: 0.10.0 is newer than 0.9.0, and a version newer than what leads to it, 0.10.0-rc.1.
    newest=$(find "$from/" -maxdepth 1 -name "weir-*-$arch-linux.tar.gz" | sed "s|.*/weir-||; s|-$arch-linux.tar.gz\$||; s|-|~|" |
        LC_ALL=C sort -V | tail -n 1 | sed 's|~|-|')
    [ -n "$newest" ] || fail "$from holds no weir-VERSION-$arch-linux.tar.gz"
    archive=$from/weir-$newest-$arch-linux.tar.gz sums=$from/SHA256SUMS
else
    version=${from#v}
    case $version in
    [0-9]*) ;;
    *) fail "\`$from\` is neither a folder nor a version" ;;
    esac
    case $version in
    *[!0-9A-Za-z.+-]* | *..*) fail "\`$from\` is neither a folder nor a version" ;;
    *.*.*) ;;
    *) fail "\`$from\` is no whole version" "a release is named by three numbers, such as 0.1.0" ;;
    esac
    [ -n "${WEIR_RELEASES:-}" ] || fail "WEIR_RELEASES is not set: nobody said where releases are" "WEIR_RELEASES=https://… install.sh $from"
    command -v curl >/dev/null || fail "curl was not found, and downloads are made by it" "install curl, or name a folder with the archive"
    archive=$work/weir-$version-$arch-linux.tar.gz sums=$work/SHA256SUMS
    for file in "$archive" "$sums"; do
        url=${WEIR_RELEASES%/}/v$version/$(basename "$file")
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

# What stands in the way is told before anything is changed.
mkdir -p "$prefix/lib/weir" "$prefix/bin" 2>/dev/null || fail "$prefix cannot be written to" "--prefix DIR names another folder"
prefix=$(CDPATH='' cd "$prefix" && pwd)
for folder in "$prefix/lib/weir" "$prefix/bin"; do
    [ -w "$folder" ] || fail "$folder cannot be written to" "--prefix DIR names another folder"
done
home=$prefix/lib/weir
for file in "$prefix/bin/weir" "$home/$version"; do
    case $file in */bin/weir) [ ! -d "$file" ] || [ -L "$file" ] ;; *) [ ! -e "$file" ] || [ -d "$file" ] ;; esac ||
        fail "$file is there, and nothing that an installation made" "move it away, or name another folder with --prefix"
done
before=$(readlink "$prefix/bin/weir" || true)
case $before in */lib/weir/*/bin/weir) before=${before%/bin/weir} && before=${before##*/} ;; *) before="" ;; esac

# Whole or not at all, and on the file system where it stays. A weir that runs keeps its files: what is the same is left alone.
new=$(mktemp -d "$home/.new.XXXXXX")
tar -xzof "$archive" -C "$new" || fail "$base cannot be unpacked to $home"
[ -x "$new/$name/bin/weir" ] || fail "$base holds no $name/bin/weir"
is_in_place() {
    [ -f "$home/$version/SHA256SUMS" ] && [ "$(sum "$home/$version/SHA256SUMS")" = "$(sum "$new/$name/SHA256SUMS")" ] &&
        (cd "$home/$version" && [ -x bin/weir ] && sha256sum -c SHA256SUMS >/dev/null 2>&1)
}
if ! is_in_place; then
    trap '' HUP INT TERM
    [ ! -e "$home/$version" ] || mv "$home/$version" "$new/old"
    mv "$new/$name" "$home/$version" || { mv "$new/old" "$home/$version" && fail "$home/$version cannot be written"; }
    trap 'exit 1' HUP INT TERM
fi

# A link in the place of whatever file or link is there. Its target is relative, so that the whole folder can be moved; where the
# folder of the link is itself a link to somewhere else, it is not.
link() {
    [ ! -d "$2" ] || [ -L "$2" ] || { echo "install: $2 is a folder, and was left as it is" >&2 && return; }
    mkdir -p "$(dirname "$2")" 2>/dev/null && [ -w "$(dirname "$2")" ] || { echo "install: $2 cannot be written" >&2 && return; }
    to=$3/$1
    ln -sfn "$to" "$2.new"
    [ -e "$2.new" ] || { to=$home/$1 && ln -sfn "$to" "$2.new"; }
    # Not into the folder that a link there may lead to.
    mv -fT "$2.new" "$2" 2>/dev/null || { rm -f "$2" && mv -f "$2.new" "$2"; }
}
link "$version/bin/weir" "$prefix/bin/weir" ../lib/weir
up=../../../lib/weir
link "$version/completions/weir.bash" "$prefix/share/bash-completion/completions/weir" "$up"
link "$version/completions/_weir" "$prefix/share/zsh/site-functions/_weir" "$up"
link "$version/completions/weir.fish" "$prefix/share/fish/vendor_completions.d/weir.fish" "$up"
for page in "$home/$version"/man/man1/*.1; do
    [ ! -f "$page" ] || link "$version/man/man1/$(basename "$page")" "$prefix/share/man/man1/$(basename "$page")" "$up"
done
[ -x "$prefix/bin/weir" ] || fail "$prefix/bin/weir does not lead to weir $version"

case $before in
"" | "$version") echo "weir $version is in place: $prefix/bin/weir" >&2 ;;
*) echo "weir $version is in place, where $before was: $prefix/bin/weir; $before stays in $home" >&2 ;;
esac
case ":${PATH:-}:" in
*":$prefix/bin:"*) ;;
*) echo "hint: $prefix/bin is not on PATH: export PATH=\"$prefix/bin:\$PATH\"" >&2 ;;
esac
echo "next: weir init plant && cd plant && weir test" >&2
