"""Says of each patch whether this MiniStack still needs it, and whether the check of requests finds what it should.

    python -m local_aws.check            changed originals, and patches without which their test passes; exit code 1 where any
    python -m local_aws.check --renew    writes the fingerprints of this MiniStack into the patches

A patch is needless when its test passes without it, and wrong when its original changed: compare the two functions then.
"""

import os
import re
import sys
import unittest
from pathlib import Path

os.environ.setdefault("BIND_HOST", "127.0.0.1")
os.environ["ESM_RETRY_BASE_SECONDS"] = "0"
os.environ["KINESIS_THROTTLE"] = "1"

from local_aws import patching, services  # noqa: E402
from local_aws.tests import test_patches, test_request_models  # noqa: E402


def needless() -> list[str]:
    """A line for each patch whose test passes on MiniStack's own code, or that has no test."""
    found = []
    for patch in patching.patches():
        tests = test_patches.tests_of(patch.name)
        if not tests:
            found.append(f"{patch.name}: no test names this patch")
            continue
        patch.remove()
        try:
            result = unittest.TestResult()
            unittest.TestSuite(tests).run(result)
            if result.wasSuccessful():
                found.append(f"{patch.name}: its test passes without it")
        finally:
            patch.install()
    return found


def broken() -> list[str]:
    """A line for each test of the check of requests that fails."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(test_request_models).run(result)
    return [f"{test.id()}: {text}" for test, text in result.failures + result.errors]


def renew() -> None:
    """Writes the fingerprint of each original behind the patch's `written_for`."""
    for patch in patching.patches():
        path = Path(sys.modules[patch.replacement.func.__module__].__file__)
        text = path.read_text()
        declared = re.compile(rf'("{patch.attribute}",\s*written_for=)"[0-9a-f]*"')
        path.write_text(declared.sub(rf'\g<1>"{patching.fingerprint(patch.original)}"', text))


def main() -> int:
    if sys.argv[1:] == ["--renew"]:
        renew()
        return 0
    services.tune()
    patching.install()
    found = patching.changed() + needless() + broken()
    for line in found:
        print(line)
    print(f"{len(patching.patches())} patches, {len(found)} to look at")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
