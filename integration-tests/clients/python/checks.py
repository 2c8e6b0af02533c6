"""What both Python clients share: the records, and how a check is reported."""

import sys
import threading
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ACKS = ["0", "1", "all"]
# An hour ago, so that no broker finds the timestamps too new or too old.
BASE = int(time.time() * 1000) - 3_600_000
LIMIT = 60.0

failed = False
_printing = threading.Lock()


def record(i):
    """Key, value, headers and timestamp of record number i."""
    key = b"key-%d" % i
    value = b"value-%d-" % i + b"x" * 200
    headers = [("number", b"%d" % i), ("bytes", b"\x00\xff")]
    return key, value, headers, BASE + i * 1000


class check:
    """`with check("name"):` prints the outcome; an exception fails this check and lets the scenario go on."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        global failed
        with _printing:
            if error is None:
                print("ok", self.name, flush=True)
            elif isinstance(error, Exception):
                failed = True
                reason = " ".join(f"{kind.__name__}: {error}".split())
                print("FAIL", self.name, reason, flush=True)
                traceback.print_exception(kind, error, trace)
        return isinstance(error, Exception)


def same(found, expected, what="value"):
    if found != expected:
        raise AssertionError(f"{what}: found {found!r}, expected {expected!r}")


def eventually(what, condition, limit=LIMIT):
    """Waits until condition() is true and gives its value."""
    deadline = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def compare(found, count, partitions):
    """found: (partition, offset, key, value, headers, timestamp) of every record consumed, in order per partition."""
    same(len(found), count, "records")
    for partition in range(partitions):
        mine = [r for r in found if r[0] == partition]
        expected = [(partition, n, *record(i)) for n, i in enumerate(range(partition, count, partitions))]
        for got, want in zip(mine, expected, strict=True):
            same(got, want, "record")


def main(scenarios):
    bootstrap, scenario, prefix = sys.argv[1:]
    try:
        scenarios[scenario](bootstrap, prefix)
    except Exception:
        # Outside of any check: what was to be checked never ran.
        traceback.print_exc()
        sys.exit(1)
    sys.exit(1 if failed else 0)
