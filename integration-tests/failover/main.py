"""How long clients wait when a broker dies, hangs, is cut off or is restarted; started by scripts/failover."""

import os
import sys

import arguments
import faults
import network
from confluent_kafka import KafkaException
from processes import Late
from report import Row, document, table
from systems import BROKERS, SYSTEMS

FAULTS = {"kill": faults.kill, "stop": faults.stop, "cut": faults.cut, "roll": faults.roll}


def measured(chosen, state):
    rows = []
    for fault in chosen.only:
        for name in chosen.systems:
            # A cluster of its own: what one fault leaves behind shall not be taken for what another one does.
            system = SYSTEMS[name](os.path.join(state, f"{fault}-{name}"))
            rows += rows_of(system, fault, chosen.runs if fault == "kill" else chosen.fewer)
            print(table(rows), file=sys.stderr, flush=True)
    return rows


def rows_of(system, fault, runs):
    rows = []
    try:
        system.start()
        FAULTS[fault](system, runs, rows)
    except (Late, KafkaException, OSError) as late:
        print(f"{system.name}, {fault}: {late!r}", file=sys.stderr, flush=True)
        rows = rows or [Row(fault, system.name, "–", "")]
        for row in rows:
            row.broken = late
    finally:
        system.stop()
    return rows


def main():
    chosen = arguments.parse()
    network.lay(BROKERS)
    rows = measured(chosen, os.environ["STATE"])
    print(table(rows))
    if chosen.write:
        # Whole or not at all.
        with open(f"{chosen.write}.new", "w") as file:
            file.write(document(rows, chosen))
        os.replace(f"{chosen.write}.new", chosen.write)
    missed = [f"{row.name()}: {'; '.join(row.missed())}" for row in rows if row.missed()]
    for line in missed:
        print(f"missed: {line}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
