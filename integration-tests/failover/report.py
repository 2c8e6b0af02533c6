"""The table, and which targets were missed."""

import statistics

# (fault, kind of client): largest median and largest gap of all, in milliseconds.
TARGETS = {("kill -9", ""): (1000, 2000)}
HEAD = "| fault | system | client | runs | median ms | max ms | acknowledged | failed | lost | twice | target |"
RULE = "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|"


class Row:
    def __init__(self, fault, system, library, kind):
        self.fault = fault
        self.system = system
        self.library = library
        self.kind = kind
        self.gaps = []
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

    def missed(self):
        """The targets that it does not meet, in words; None where it has none."""
        if self.system != "sordini":
            return None
        wanted = TARGETS.get((self.fault, self.kind))
        found = []
        if wanted:
            median, most = wanted
            gaps = [gap if gap is not None else float("inf") for gap in self.gaps]
            if statistics.median(gaps) >= median:
                found.append(f"median {statistics.median(gaps):.0f} ms, not under {median}")
            if max(gaps) > most:
                found.append(f"{sum(gap > most for gap in gaps)} above {most} ms, up to {max(gaps):.0f}")
        if self.lost:
            found.append(f"{self.lost} lost")
        return found

    def line(self):
        missed = self.missed()
        target = "" if missed is None else "**missed**: " + "; ".join(missed) if missed else "met"
        gaps = [gap if gap is not None else float("inf") for gap in self.gaps]
        figures = [f"{statistics.median(gaps):,.0f}", f"{max(gaps):,.0f}", *(f"{n:,}" for n in self.counts())]
        return " | ".join([f"| {self.fault}", self.system, self.library + self.kind, str(len(gaps)), *figures, f"{target} |"])

    def counts(self):
        return self.acknowledged, self.failed, self.lost, self.twice


def table(rows):
    return "\n".join([HEAD, RULE, *(row.line() for row in rows)])
