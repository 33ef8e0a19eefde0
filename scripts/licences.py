#!/usr/bin/env python3
"""Writes what is inside a release: licences of all crates and of the page's libraries with their texts, and a bill of materials
(CycloneDX 1.5).

usage: scripts/licences.py FOLDER

It asks cargo alone, without a network: the sources of every crate are here once something was built. The page's libraries lie in
crates/studio/web, made by scripts/studio-vendor.sh, which writes their licences beside them.
"""
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

# What a release has of ours: the command, and the packages of the Lambdas.
OURS = ("weir-cli", "weir-alerter", "weir-gate", "weir-heartbeat")
PAGE = pathlib.Path(__file__).parent.parent / "crates/studio/web/vendor/LICENSES.md"
# Files in which crates keep their licences.
NAMES = ("license", "licence", "copying", "notice", "unlicense", "copyright")


def packages() -> list[dict]:
    """The crates that ours are made of, ours left out: what normal and build dependencies lead to."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        command.remove("--offline")
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    metadata = json.loads(found.stdout)
    by_id = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    left = [package["id"] for package in metadata["packages"] if package["name"] in OURS and not package["source"]]
    assert len(left) == len(OURS), f"the workspace lacks one of {OURS}"
    seen = set(left)
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            wanted = any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
            if wanted and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                left.append(dependency["pkg"])
    crates = [by_id[one] for one in seen if by_id[one]["source"]]
    return sorted(crates, key=lambda package: (package["name"], package["version"]))


def texts(package: dict) -> list[str]:
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().startswith(NAMES))
    return [path.read_text(errors="replace").strip() for path in files]


def libraries() -> list[dict]:
    """The libraries of the page of `weir studio`: a heading each, with name, version and licence, and the text below it."""
    found = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        heading, text = section.split("\n", 1)
        name, version, licence = re.fullmatch(r"(\S+) (\S+) \((.+)\)", heading).groups()
        found.append({"name": name, "version": version, "license": licence, "text": text.strip()})
    assert found, f"{PAGE} names no library"
    return found


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    crates = packages()
    page = libraries()
    lines = ["What the command `weir` and the Lambdas are made of, and under which licences.", ""]
    by_text: dict[str, tuple[str, list[str]]] = {}
    for package in crates:
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'] or 'see its text'}")
        for text in texts(package):
            key = hashlib.sha256(text.encode()).hexdigest()
            by_text.setdefault(key, (text, []))[1].append(name)
    lines += ["", "The page of `weir studio`, which is inside the command:", ""]
    for library in page:
        name = f"{library['name']} {library['version']}"
        lines.append(f"{name}: {library['license']}")
        by_text.setdefault(hashlib.sha256(library["text"].encode()).hexdigest(), (library["text"], []))[1].append(name)
    for text, names in by_text.values():
        lines += ["", "=" * 80, ", ".join(names), "", text]
    (out / "THIRD-PARTY.txt").write_text("\n".join(lines) + "\n")
    components = [
        {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:cargo/{package['name']}@{package['version']}",
            **({"licenses": [{"expression": package["license"].replace("/", " OR ")}]} if package["license"] else {}),
        }
        for package in crates
    ]
    components += [
        {
            "type": "library",
            "name": library["name"],
            "version": library["version"],
            "purl": f"pkg:npm/{urllib.parse.quote(library['name'])}@{library['version']}",
            "licenses": [{"expression": library["license"]}],
        }
        for library in page
    ]
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
    (out / "bom.json").write_text(json.dumps(bill, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
