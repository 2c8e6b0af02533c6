"""scripts/chaos [--seconds 600] [--seed N]: the run, and what it says in the end."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import admin
import checker
import segments
from cluster import BROKERS, ROOT, Cluster, bootstrap, kafka_jars, panics, read_lines
from faults import Faults, follow_plan, plan
from topics import BY, Topics

FOLDER = ROOT / ".state/chaos"
# For everybody to come back, and for what is left to be written.
WELL_S = 120
SHOWN = 10
# Which of them a run takes follows from its seed.
JAVA_CLIENTS = ["3.9.1", "4.3.1"]


def say(text, began=time.monotonic(), lock=threading.Lock()):
    with lock:
        print(f"{time.monotonic() - began:8.2f} {time.monotonic():.3f} {text}", flush=True)


class Clients:
    """Programs that write histories, in the namespace of this one."""

    def __init__(self, seconds):
        self.children = {}
        self.seconds = seconds

    def start(self, role, by, *options):
        topics = [f"{name}={count}" for name, count in admin.TOPICS.items()]
        program = [sys.executable, str(Path(__file__).with_name("clients.py"))]
        self.spawn(by, [*program, role, by, str(self.history(by)), bootstrap(), *options, *topics])

    def spawn(self, by, command):
        with (FOLDER / f"{by}.log").open("wb") as log:
            self.children[by] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def history(self, by):
        return FOLDER / f"{by}.jsonl"

    def start_all(self, java):
        for by in ("p1", "p2"):
            self.start("produce", by, str(self.seconds + WELL_S))
        for by in ("c1", "c2"):
            self.start("consume", by, "group")
        self.start("follow", "f1")
        self.start_java(java)

    def start_java(self, version):
        topics = [f"{name}={count}" for name, count in admin.TOPICS.items()]
        classes = f"{ROOT}/.state/java-{version}:{kafka_jars(version)}"
        logging = f"-Dlog4j.configuration=file:{ROOT}/integration-tests/kafka/log4j.properties"
        java = ["java", "-Xmx192m", "-XX:+UseSerialGC", logging, "-cp", classes, "Histories"]
        self.spawn("java", [*java, str(self.history("java")), bootstrap(), "java-group", str(self.seconds + WELL_S), *topics])

    def stop(self, names, limit_s):
        """Who has not ended well."""
        for by in names:
            if self.children[by].poll() is None:
                self.children[by].send_signal(signal.SIGTERM)
        return [problem for by in names if (problem := self.problem(by, limit_s))]

    def problem(self, by, limit_s):
        child = self.children[by]
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return f"{by} did not end within {limit_s} s"
        return f"{by} ended with {status}; see {by}.log" if status else None

    def lines(self):
        for by in [*self.children, BY]:
            yield from read_lines(self.history(by))


def disturb(cluster, topics, seed, seconds):
    faults = Faults(cluster, plan(seed, seconds), say)
    moves = admin.Reassignments(seed, say)
    moves.start()
    topics.start()
    try:
        follow_plan(faults, seconds, cluster.supervise)
    finally:
        faults.end_all()
        moves.stop()
        topics.stop()
    say(f"faults: {faults.count}; reassignments: {moves.done}, refused: {moves.refused}")


def heal(cluster):
    for name in cluster.nodes:
        cluster.revive(name)
    missing, took = admin.await_well(WELL_S, cluster.supervise)
    say(f"all in sync after {took:.1f} s" if not missing else f"not in sync after {took:.1f} s: {missing[:SHOWN]}")
    return missing


def run(seed, seconds):
    """{check: what was found}"""
    cluster = Cluster(FOLDER)
    cluster.start()
    missing, _ = admin.await_well(WELL_S, cluster.supervise)
    if missing:
        raise RuntimeError(f"the cluster does not start: {missing}")
    admin.create_topics()
    clients = Clients(seconds)
    clients.start_all(random.Random(seed).choice(JAVA_CLIENTS))
    say("begin")
    topics = Topics(seed, clients.history(BY), say)
    disturb(cluster, topics, seed, seconds)
    checks = {"all is in sync again": heal(cluster)}
    ended = clients.stop(list(clients.children), WELL_S)
    say("clients have ended")
    clients.start("read", checker.READER)
    ended += [problem for problem in [clients.problem(checker.READER, WELL_S + 20)] if problem]
    checks["clients end well"] = ended
    topics.note_what_is_there()
    return checks | on_disks(cluster) | said(clients)


def on_disks(cluster):
    """Stops the brokers, and compares what they leave."""
    replicas_of = admin.replicas_of()
    checks = {"no process ends by itself": cluster.deaths() + panics(FOLDER)}
    checks["brokers stop when asked to"] = [name for name in BROKERS if cluster.nodes[name].stop(60) != 0]
    cluster.kill_all()
    log_dirs = {name: cluster.log_dirs(name) for name in BROKERS}
    differ, short, count, strays = segments.compare(log_dirs, replicas_of)
    say(f"batches compared: {count}; logs of what was moved away: {strays}")
    return checks | {"replicas are the same, batch for batch": differ, "replicas end at the same offset": short}


def said(clients):
    lines = list(clients.lines())
    counts = {}
    for line in lines:
        counts[line["what"]] = counts.get(line["what"], 0) + len(line.get("records", [0]))
    say(f"events: {counts}; sends that failed: {sum(1 for line in lines if line['what'] == 'send' and 'error' in line)}")
    for gap, place, at in checker.longest_gaps(lines)[:3]:
        say(f"{place}: nothing acknowledged for {gap:.1f} s, until {at:.3f}")
    return checker.anomalies(lines)


def report(checks):
    for name, found in checks.items():
        print(f"{'FAIL' if found else 'ok'} {name}" + (f": {len(found)}" if found else ""))
        for one in found[:SHOWN]:
            print(f"    {one}")
    failed = sum(1 for found in checks.values() if found)
    print(f"{len(checks) - failed} passed, {failed} failed", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--plan", action="store_true", help="print the faults of this seed and do nothing")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}, {chosen.seconds} seconds", flush=True)
    if chosen.plan:
        for fault in plan(chosen.seed, chosen.seconds):
            print(f"{fault.at:8.2f} {fault}")
        return 0
    # The first process of a namespace ignores what it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    return 1 if report(run(chosen.seed, chosen.seconds)) else 0


if __name__ == "__main__":
    # When this process ends, so do all others of its namespace.
    sys.exit(main())
