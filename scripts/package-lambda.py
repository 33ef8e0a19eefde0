#!/usr/bin/env python3
"""Packs a binary as a Lambda's zip: one file `bootstrap`, fixed time and mode, so the same binary gives the same bytes.

usage: scripts/package-lambda.py [--arch arm64|x86_64] BINARY ZIP

With --arch the package is meant for AWS: the binary must be one that Lambda can execute there, and ZIP.arch says so, for
Terraform: the architecture and the zip's SHA-256. Without it the binary runs on this machine, and nothing is checked.
"""
import argparse
import hashlib
import io
import os
import re
import struct
import sys
import zipfile

# `e_machine` of an ELF file, by Lambda's name of the architecture.
# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}
# Amazon Linux 2023, which `provided.al2023` is, ships glibc 2.34.
# https://docs.aws.amazon.com/linux/al2023/release-notes/vercmp-AL2-AL2023.5.html
# A newer symbol fails at the first call: https://github.com/aws/aws-lambda-rust-runtime/issues/932
NEWEST_GLIBC = (2, 34)
# The first instant that a zip can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
# 64-bit, little-endian: the fifth and sixth byte of an ELF file.
ELF_64_LITTLE = b"\x7fELF\x02\x01"
# Magic numbers of what macOS makes: Mach-O of 64 and 32 bits in both byte orders, and several architectures in one file.
MACH_O = {bytes.fromhex(magic) for magic in ("cffaedfe", "feedfacf", "cefaedfe", "feedface", "cafebabe", "bebafeca")}


class Refused(Exception):
    """Why Lambda could not execute the binary, and what to do."""


def newest_glibc(binary: bytes) -> tuple[int, ...]:
    """The newest glibc that the binary's symbols ask for."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary)
    return max((tuple(int(part) for part in version) for version in versions), default=(0, 0))


def check(binary: bytes, arch: str) -> None:
    """Refuses what Lambda could not execute on that architecture."""
    hint = f"make package ARCH={arch} builds for it on any machine"
    if binary[:4] in MACH_O:
        raise Refused("the binary is for macOS, Lambda runs Linux", hint)
    if len(binary) < 20 or binary[:6] != ELF_64_LITTLE:
        raise Refused("the binary is no 64-bit ELF file, which Lambda wants", hint)
    (machine,) = struct.unpack_from("<H", binary, 18)
    if machine != MACHINES[arch]:
        known = {number: name for name, number in MACHINES.items()}
        raise Refused(f"the binary is for {known.get(machine, f'machine {machine:#x}')}, not for {arch}", hint)
    glibc = newest_glibc(binary)
    if glibc > NEWEST_GLIBC:
        have, want = (".".join(map(str, version)) for version in (glibc, NEWEST_GLIBC))
        raise Refused(f"the binary needs glibc {have}, Lambda's provided.al2023 has {want}", hint)


def pack(binary: bytes, level: int) -> bytes:
    out = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap", FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, so that the mode counts
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, binary, compresslevel=level)
    return out.getvalue()


def write(path: str, content: bytes) -> None:
    """Writes whole or not at all: a plan that runs beside this must never see half a file."""
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return
    except FileNotFoundError:
        pass
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.replace(path + ".part", path)


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--arch", choices=MACHINES)
    parser.add_argument("binary")
    parser.add_argument("zip")
    given = parser.parse_args()
    with open(given.binary, "rb") as file:
        binary = file.read()
    if given.arch:
        try:
            check(binary, given.arch)
        except Refused as refused:
            why, hint = refused.args
            print(f"package-lambda: {given.binary}: {why}\nhint: {hint}", file=sys.stderr)
            return 1
    # A package for this machine is unpacked at once; one for AWS is uploaded.
    packed = pack(binary, level=9 if given.arch else 1)
    os.makedirs(os.path.dirname(given.zip) or ".", exist_ok=True)
    marker = given.zip + ".arch"
    if given.arch:
        write(given.zip, packed)
        write(marker, f"{given.arch} {hashlib.sha256(packed).hexdigest()}\n".encode())
    else:
        if os.path.exists(marker):
            os.remove(marker)
        write(given.zip, packed)
    print(given.zip)
    return 0


if __name__ == "__main__":
    sys.exit(main())
