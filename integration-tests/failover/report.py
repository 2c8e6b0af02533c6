"""The table, and which targets were missed."""

import datetime
import os
import platform
import statistics
import subprocess

from confluent_kafka import libversion

# Kinds of clients beside those with their libraries' own settings.
IMPATIENT = ", request timeout 2 s"
STARTED_THEN = ", started then"
# (fault, kind of client): what the median has to stay under, and what no gap may pass, in milliseconds.
TARGETS = {
    ("kill -9", ""): (1000, 2000),
    ("SIGSTOP", STARTED_THEN): (None, 3000),
    ("SIGSTOP", IMPATIENT): (None, 3000),
    ("network cut", STARTED_THEN): (None, 3000),
    ("network cut", IMPATIENT): (None, 3000),
    ("rolling restart", ""): (None, 500),
}
# No send may fail while these happen.
UNNOTICED = ("rolling restart",)
# Who writes a record once and no more with its default settings.
IDEMPOTENT = ("java",)
HEAD = "| fault | system | client | runs | median ms | max ms | acknowledged | failed | lost | twice | target |"
RULE = "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|"


class Row:
    def __init__(self, fault, system, library, kind):
        self.fault = fault
        self.system = system
        self.library = library
        self.kind = kind
        self.gaps = []
        self.broken = None
        self.acknowledged = self.failed = self.lost = self.twice = 0

    def count(self, client, lost, twice):
        self.acknowledged += sum(map(len, client.numbers))
        self.failed += len(client.failed)
        self.lost += len(lost)
        self.twice += len(twice)
        for what, which in (("failed", client.failed), ("lost", lost), ("twice", twice)):
            if which:
                print(f"{self.name()}: {len(which)} {what}: {which[:5]} … {which[-1]}", flush=True)

    def name(self):
        return f"{self.fault}, {self.system}, {self.library}{self.kind}"

    def wanted(self):
        # librdkafka looks for late answers once a second: what it waits beyond its two seconds is its own.
        if self.library == "librdkafka" and self.kind == IMPATIENT:
            return None, None
        return TARGETS.get((self.fault, self.kind), (None, None))

    def missed(self):
        """The targets that it does not meet, in words."""
        if self.system != "sordini":
            return []
        median, most = self.wanted()
        found = []
        if self.broken:
            found.append(f"not measured to the end: {self.broken}")
        if self.gaps and median and statistics.median(self.gaps) >= median:
            found.append(f"median {statistics.median(self.gaps):,.0f} ms, not under {median:,}")
        if most and (above := [gap for gap in self.gaps if gap > most]):
            found.append(f"{len(above)} of {len(self.gaps)} above {most:,} ms, up to {max(above):,.0f}")
        if self.failed and self.fault in UNNOTICED:
            found.append(f"{self.failed} failed")
        if self.lost:
            found.append(f"{self.lost} lost")
        if self.twice and self.library in IDEMPOTENT:
            found.append(f"{self.twice} twice from an idempotent producer")
        return found

    def target(self):
        median, most = self.wanted()
        wanted = [f"median < {median:,}"] if median else []
        wanted += [f"none > {most:,}"] if most else []
        wanted += ["no failed send"] if self.fault in UNNOTICED else []
        if self.system != "sordini":
            return ""
        return ", ".join(wanted + ["none lost"]) + (": **missed**" if self.missed() else ": met")

    def line(self):
        figures = [f"{statistics.median(self.gaps):,.0f}", f"{max(self.gaps):,.0f}"] if self.gaps else ["–", "–"]
        cells = [self.fault, self.system, self.library + self.kind, str(len(self.gaps)), *figures]
        return "| " + " | ".join([*cells, *(f"{n:,}" for n in self.counts()), self.target()]) + " |"

    def counts(self):
        return self.acknowledged, self.failed, self.lost, self.twice


def table(rows):
    return "\n".join([HEAD, RULE, *(row.line() for row in rows)])


def document(rows, chosen):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "preface.md")) as file:
        preface = file.read()
    return f"{preface}\n{circumstances(chosen)}\n{table(rows)}\n"


def circumstances(chosen):
    java = said("java", "-version").splitlines()[0]
    commit = said("git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD")
    return (
        f"- Machine: {os.cpu_count()} cores, {memory_gib():.0f} GiB of memory, Linux {platform.release()}\n"
        f"- Java: {java}; librdkafka {libversion()[0]}; Sordini {said(os.environ['SORDINI_BIN'], '--version')}\n"
        f"- Commit and date: {commit}, {datetime.date.today()}\n"
        f"- Command: `scripts/failover --runs {chosen.runs} --fewer {chosen.fewer} --systems {','.join(chosen.systems)} "
        f"--only {','.join(chosen.only)}`\n"
    )


def said(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.strip()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
