"""Runs the emulator on 127.0.0.1:$GATEWAY_PORT until it is ended.

MS_PATCH=0                        runs MiniStack as it is
KINESIS_THROTTLE=1                limits each shard as AWS does
ESM_RETRY_BASE_SECONDS (0.2)      the first pause of an event source mapping after a failure, doubled each time
ESM_RETRY_CAP_SECONDS (5)         its longest pause
WEIR_EMULATOR_CHECKS_REQUESTS=1   refuses requests that break the service's published model, and lists them in `violations`
WEIR_EMULATOR_ENDS_WITH_STDIN=1   ends when standard input closes, and removes the working folder
"""

import os
import shutil
import sys
import threading

assert os.environ.setdefault("BIND_HOST", "127.0.0.1") in ("127.0.0.1", "localhost", "::1")
os.environ.setdefault("IOT_MTLS_ENABLED", "0")
os.environ.setdefault("SFTP_ENABLED", "0")

from ministack import app  # noqa: E402  (reads the environment when it is imported)

from local_aws import patching, repeated_calls, services  # noqa: E402


def _end_with_parent() -> None:
    """A test's emulator ends with the test in every case: the pipe at its standard input closes. Its folder goes too."""
    sys.stdin.buffer.read()
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    os._exit(0)


def main() -> None:
    if os.environ.get("MS_PATCH", "1") == "1":
        changed = patching.changed()
        if changed:
            print(f"error: {len(changed)} patches do not fit this MiniStack:", *changed, sep="\n  ", file=sys.stderr)
            print("hint: compare the functions, then renew the patch or drop it: python -m local_aws.check", file=sys.stderr)
            sys.exit(1)
        patching.install()
        services.tune()
        app.app = repeated_calls.answer_once(app.app)
    if os.environ.get("WEIR_EMULATOR_CHECKS_REQUESTS") == "1":
        from local_aws import request_models  # Half a second, for the tests alone.

        app.app = request_models.refuse_violations(app.app)
    if os.environ.get("WEIR_EMULATOR_ENDS_WITH_STDIN") == "1":
        threading.Thread(target=_end_with_parent, daemon=True).start()
    app.main()


if __name__ == "__main__":
    main()
