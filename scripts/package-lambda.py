#!/usr/bin/env python3
"""Packs a binary as a Lambda's zip: one file `bootstrap`, fixed time and mode, so the same binary gives the same bytes.

usage: scripts/package-lambda.py BINARY ZIP
"""
import io
import os
import re
import sys
import zipfile

# Amazon Linux 2023, which `provided.al2023` is, ships glibc 2.34.
NEWEST_GLIBC = (2, 34)
# The first instant that a zip can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def newest_glibc(binary: bytes) -> tuple[int, ...]:
    """The newest glibc that the binary's symbols ask for."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary)
    return max((tuple(int(part) for part in version) for version in versions), default=(0, 0))


def pack(binary: bytes) -> bytes:
    out = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap", FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, so that the mode counts
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, binary, compresslevel=9)
    return out.getvalue()


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        binary = file.read()
    glibc = newest_glibc(binary)
    if glibc > NEWEST_GLIBC:
        have, want = (".".join(map(str, version)) for version in (glibc, NEWEST_GLIBC))
        print(f"package-lambda: the binary needs glibc {have}, Lambda's provided.al2023 has {want}", file=sys.stderr)
        print("hint: build on a system with an older glibc, or link with `cargo zigbuild`", file=sys.stderr)
        return 1
    packed = pack(binary)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    try:
        with open(target, "rb") as file:
            if file.read() == packed:
                print(target)
                return 0
    except FileNotFoundError:
        pass
    # Whole or not at all: a plan that runs beside this must never see half a zip.
    with open(target + ".part", "wb") as file:
        file.write(packed)
    os.replace(target + ".part", target)
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
