#!/usr/bin/env python3
"""Says of each change in a second plan which known gap of the emulator explains it; fails on one that none does.

usage: scripts/plan-gaps.py PLAN.json GAPS.toml

PLAN.json is what `terraform show -json` writes. GAPS.toml has tables [[gap]] with `resource` (a type), `attributes` (names at the
top), and `why`. An attribute that changes on a resource of that type is explained by it; so is one that is known only after the
apply, which is a change too: Terraform expects another value than the one it has.
"""
import json
import sys
import tomllib


def is_unknown(value) -> bool:
    """Whether anything of an attribute is known only after the apply."""
    if isinstance(value, dict):
        return any(map(is_unknown, value.values()))
    if isinstance(value, list):
        return any(map(is_unknown, value))
    return value is True


def changed(change: dict) -> list[str]:
    before, after = change["before"] or {}, change["after"] or {}
    unknown = change.get("after_unknown") or {}
    return sorted(
        name
        for name in before.keys() | after.keys() | unknown.keys()
        if before.get(name) != after.get(name) or is_unknown(unknown.get(name))
    )


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__.strip().split("\n\n")[1], file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    with open(sys.argv[2], "rb") as file:
        gaps = tomllib.load(file).get("gap", [])
    used, unexplained = set(), 0
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        if change["actions"] in (["no-op"], ["read"]):
            continue
        # A gap is of an attribute: what appears or goes as a whole is none.
        names = (changed(change) if change["actions"] == ["update"] else []) or ["(itself)"]
        for name in names:
            explained = [at for at, gap in enumerate(gaps) if gap["resource"] == resource["type"] and name in gap["attributes"]]
            used.update(explained)
            if not explained:
                unexplained += 1
                print(f"no gap explains: {resource['address']} {name} ({'+'.join(change['actions'])})", file=sys.stderr)
                before, after = (json.dumps((change[side] or {}).get(name)) for side in ("before", "after"))
                if is_unknown((change.get("after_unknown") or {}).get(name)):
                    after += ", and more that is known after the apply"
                print(f"  before {before}\n  after  {after}", file=sys.stderr)
    for at, gap in enumerate(gaps):
        said = "seen" if at in used else "not seen this time"
        print(f"{said}: {gap['resource']} {', '.join(gap['attributes'])}: {gap['why']}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
