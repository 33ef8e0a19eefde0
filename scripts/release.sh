#!/usr/bin/env bash
# Makes the archive of a release: weir-VERSION-ARCH-linux.tar.gz, and SHA256SUMS beside it.
# usage: scripts/release.sh [x86_64|aarch64] [--out FOLDER]
#
# It holds the command, the packages of the Lambdas (alerter, gate and heartbeat: for AWS on arm64, and in lambda/local for the local
# stack on a machine of ARCH), the Terraform modules, the scripts of the local emulator, completions, pages of the manual, licences
# and a bill of materials. The same commit gives the same bytes.
#
# The command is built with cargo-zigbuild, as the Lambdas are: on any machine for either architecture, against glibc 2.28 (Debian
# 10, RHEL 8, Amazon Linux 2023 and newer). For tests, and where something was built already:
#   WEIR_BINARY   the command for ARCH, in place of a build
#   WEIR_HOST     a weir that runs here, which writes completions and manual; WEIR_BINARY where that runs here
#   WEIR_LAMBDAS  a folder with alerter.zip, gate.zip and heartbeat.zip, their .arch files, and in `local` those for a machine of
#                 ARCH, in place of a build
#   SOURCE_DATE_EPOCH  the time of every file; that of the commit
#   WEIR_GZIP     gzip's level; 9
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: scripts/release.sh [x86_64|aarch64] [--out FOLDER]"
arch="" out=dist/release
while (($#)); do
  case $1 in
  x86_64 | aarch64) arch=$1 ;;
  --out) out=${2:?$usage} && shift ;;
  *) echo "$usage" >&2 && exit 2 ;;
  esac
  shift
done
host="$(uname -m)"
arch="${arch:-$host}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
epoch="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
glibc=2.28
name="weir-$version-$arch-linux"

binary="${WEIR_BINARY:-}"
if [[ -z "$binary" ]]; then
  # It brings cargo-zigbuild and zig, and the standard library of the target.
  case $arch in aarch64) scripts/package-lambda.sh arm64 ;; x86_64) scripts/package-lambda.sh x86_64 ;; esac
  target="$arch-unknown-linux-gnu"
  folder="${WEIR_RELEASE_TARGET_DIR:-$PWD/target-release}"
  # No path of this machine and no build id may reach the binary.
  PATH="$PWD/.weir/zig/bin:$PATH" \
    RUSTFLAGS="--remap-path-prefix=$PWD=/weir --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo -C link-arg=-Wl,--build-id=none" \
    cargo zigbuild --quiet --locked --release --target "$target.$glibc" --target-dir "$folder" -p weir-cli
  binary="$folder/$target/release/weir"
fi
weir="${WEIR_HOST:-$binary}"
"$weir" --version >/dev/null 2>&1 || {
  echo "release: $weir does not run on this machine, and completions and manual are written by it" >&2
  echo "hint: name one that does in WEIR_HOST, such as target/release/weir" >&2
  exit 1
}

functions=(alerter gate heartbeat)
packages="$(mktemp -d)"
stage="$(mktemp -d)"
trap 'rm -rf "$packages" "$stage"' EXIT
lambdas="${WEIR_LAMBDAS:-}"
if [[ -z "$lambdas" ]]; then
  # Those for AWS come last: they are what dist/ is left with, and what Terraform wants unless it is told otherwise. The local
  # stack runs on the same machines as the command.
  lambdas="$packages"
  mkdir "$lambdas/local"
  case $arch in aarch64) own=arm64 ;; *) own=$arch ;; esac
  WEIR_LAMBDA_GLIBC="$glibc" scripts/package-lambda.sh "$own"
  for function in "${functions[@]}"; do cp "dist/$function.zip" "dist/$function.zip.arch" "$lambdas/local/"; done
  [[ "$own" == arm64 ]] || scripts/package-lambda.sh arm64
  for function in "${functions[@]}"; do cp "dist/$function.zip" "dist/$function.zip.arch" "$lambdas/"; done
fi
for function in "${functions[@]}"; do
  for file in "$function.zip" "$function.zip.arch"; do
    [[ -f "$lambdas/$file" ]] || {
      echo "release: $lambdas/$file is missing" >&2
      echo "hint: WEIR_LAMBDAS names a folder with what scripts/package-lambda.sh makes" >&2
      exit 1
    }
  done
  [[ -f "$lambdas/local/$function.zip" ]] || echo "release: no $lambdas/local/$function.zip: the local stack will not start from this archive" >&2
done

root="$stage/$name"
mkdir -p "$root"/{bin,completions,man/man1,lambda/local,licences}
cp "$binary" "$root/bin/weir"
for function in "${functions[@]}"; do
  cp "$lambdas/$function.zip" "$lambdas/$function.zip.arch" "$root/lambda/"
  for file in "$lambdas/local/$function.zip" "$lambdas/local/$function.zip.arch"; do
    [[ ! -f "$file" ]] || cp "$file" "$root/lambda/local/"
  done
done
# What git knows, and nothing that lies beside it.
git ls-files -z terraform scripts/local_aws scripts/local-aws.sh scripts/terraform-init.sh LICENSE CHANGELOG.md |
  grep -zv '^terraform/tests/' | tar --null --files-from=- -cf - | tar -xf - -C "$root"
"$weir" completions bash >"$root/completions/weir.bash"
"$weir" completions zsh >"$root/completions/_weir"
"$weir" completions fish >"$root/completions/weir.fish"
"$weir" man "$root/man/man1" >/dev/null
python3 scripts/licences.py "$root/licences"

find "$root" -type f -exec chmod 644 {} + && find "$root" -type d -exec chmod 755 {} +
chmod 755 "$root/bin/weir" "$root"/scripts/*.sh
(cd "$root" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | sed 's|^\./||' | tr '\n' '\0' | xargs -0 sha256sum) >"$stage/sums"
install -m 644 "$stage/sums" "$root/SHA256SUMS"

mkdir -p "$out"
archive="$out/$name.tar.gz"
LC_ALL=C tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=ustar -C "$stage" -cf - "$name" |
  gzip -n "-${WEIR_GZIP:-9}" >"$archive.part"
mv "$archive.part" "$archive"
(cd "$out" && LC_ALL=C sha256sum weir-*.tar.gz >SHA256SUMS)
echo "$archive: $(du -h "$archive" | cut -f1)" >&2
