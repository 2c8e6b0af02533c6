"""How long clients wait when a broker dies, hangs, is cut off or is restarted; started by scripts/failover."""

import os
import signal
import sys

import arguments
import faults
import network
from report import table
from systems import BROKERS, SYSTEMS

FAULTS = {"kill": faults.kill}


def measured(chosen, state):
    rows = []
    for name in chosen.systems:
        home = os.path.join(state, name)
        system = SYSTEMS[name](home, os.environ["KAFKA_CLASSPATH"], os.environ["KAFKA_LOGGING"])
        try:
            system.start()
            for fault in chosen.only:
                rows += FAULTS[fault](system, chosen.runs)
        finally:
            system.stop()
    return rows


def main():
    chosen = arguments.parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    network.lay(BROKERS)
    rows = measured(chosen, os.environ["STATE"])
    print(table(rows))
    missed = [f"{row.name()}: {'; '.join(row.missed())}" for row in rows if row.missed()]
    for line in missed:
        print(f"missed: {line}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
