"""Each anomaly is planted once into a history without one: the checker names it, and nothing else.

Run by hand: python integration-tests/chaos/checker_test.py
"""

import copy
import sys
import tempfile
from pathlib import Path

import checker
import faults
import segments

LOST = "acknowledged records are there"
TWICE = "no record is there twice"
ORDER = "records of one producer are in order"
OFFSETS = "every offset holds one record"
INVENTED = "nobody reads what nobody has sent"
POLLS = "polls go on where they were"
COMMITS = "commits are not forgotten"
ENDS = "the end does not go back"
EARLY = "the end is behind what is acknowledged"
TOPICS = "topics are there as they were made"
GAVE_UP = "no client gave up"


class Story:
    """A history of one partition; every event a moment after the one before."""

    def __init__(self):
        self.lines = []

    def note(self, by, what, **facts):
        at = len(self.lines) * 10
        self.lines.append({"at": at + 5, "began": at, "by": by, "what": what, "topic": "t", "partition": 0, **facts})

    def sends(self, by, offsets, first=0):
        for number, offset in enumerate(offsets, first):
            self.note(by, "send", number=number, offset=offset)

    def commit(self, offset, error=None, by="c"):
        self.note(by, "commit", group="g", offset=offset, error=error)

    def told(self, offset, by="c"):
        self.note(by, "committed", group="g", offset=offset)
        self.note(by, "assigned", offset=offset or 0)


def clean():
    """Two producers, a group that hands a partition on, and what is there in the end."""
    story = Story()
    story.told(None, "c1")
    story.sends("p", [0, 2])
    story.sends("q", [1])
    story.note("f", "end", offset=3)
    story.note("c1", "poll", records=[[0, "p:0"], [1, "q:0"]])
    story.commit(2, by="c1")
    story.told(2, "c2")
    story.note("c2", "poll", records=[[2, "p:1"]])
    # Its answer got lost, so it may count or not.
    story.commit(3, "_TIMED_OUT", "c2")
    story.told(2, "c3")
    story.note("p", "send", number=2, error="_MSG_TIMED_OUT")
    story.note("f", "end", offset=3)
    story.note("p", "stopped", sent={"t-0": 3})
    story.note("q", "stopped", sent={"t-0": 1})
    story.note(checker.READER, "assigned", offset=0)
    story.note(checker.READER, "poll", records=[[0, "p:0"], [1, "q:0"], [2, "p:1"]])
    story.note(checker.READER, "read", offset=3)
    for name in ("kept", "deleted", "perhaps"):
        story.note("topics", "create", topic=name, error=None)
    story.note("topics", "delete", topic="deleted", error=None)
    story.note("topics", "delete", topic="perhaps", error="_TIMED_OUT")
    story.note("topics", "topics", names=["kept", "perhaps", "t"])
    return story.lines


def found_in(lines):
    return {name for name, found in checker.anomalies(lines).items() if found}


def last(lines, by, what):
    return [line for line in lines if line["by"] == by and line["what"] == what][-1]


def plant_lost(lines):
    """The last one, so that nothing else is out of place; the end of the log is the only other witness."""
    last(lines, checker.READER, "poll")["records"].pop()
    last(lines, "c2", "poll")["records"] = []


def plant_twice(lines):
    last(lines, checker.READER, "poll")["records"].append([3, "q:0"])
    last(lines, checker.READER, "read")["offset"] = 4


def plant_order(lines):
    """Two records of one producer that nobody has been told the offsets of."""
    last(lines, checker.READER, "poll")["records"] += [[3, "p:3"], [4, "p:2"]]
    last(lines, checker.READER, "read")["offset"] = 5
    last(lines, "p", "stopped")["sent"]["t-0"] = 4


def plant_two_offsets(lines):
    """What a member has read at an offset is another record in the end."""
    last(lines, "c2", "poll")["records"] = [[2, "p:2"]]


def plant_invented(lines):
    last(lines, checker.READER, "poll")["records"].append([3, "p:9"])
    last(lines, checker.READER, "read")["offset"] = 4


def plant_poll_back(lines):
    last(lines, "c2", "poll")["records"] = [[2, "p:1"], [1, "q:0"]]


def plant_poll_ahead(lines):
    last(lines, "c1", "poll")["records"] = [[1, "q:0"]]


def plant_commit_back(lines):
    """Less than what was acknowledged, and something that was committed once."""
    lines.insert(6, {**last(lines, "c1", "commit"), "offset": 1, "at": 51})
    last(lines, "c2", "committed")["offset"] = 1


def plant_commit_gone(lines):
    last(lines, "c2", "committed")["offset"] = None


def plant_commit_of_nobody(lines):
    last(lines, "c2", "committed")["offset"] = 5


def plant_end_back(lines):
    last(lines, "f", "end")["offset"] = 2


def plant_end_early(lines):
    last(lines, checker.READER, "read")["offset"] = 2


def plant_topic_gone(lines):
    last(lines, "topics", "topics")["names"].remove("kept")


def plant_topic_back(lines):
    last(lines, "topics", "topics")["names"].append("deleted")


def plant_fatal(lines):
    lines.append({"at": 10_000, "by": "p", "what": "fatal", "error": "out of order sequence"})


PLANTED = {
    plant_lost: LOST,
    plant_twice: TWICE,
    plant_order: ORDER,
    plant_two_offsets: OFFSETS,
    plant_invented: INVENTED,
    plant_poll_back: POLLS,
    plant_poll_ahead: POLLS,
    plant_commit_back: COMMITS,
    plant_commit_gone: COMMITS,
    plant_commit_of_nobody: COMMITS,
    plant_end_back: ENDS,
    plant_end_early: EARLY,
    plant_topic_gone: TOPICS,
    plant_topic_back: TOPICS,
    plant_fatal: GAVE_UP,
}


def histories():
    assert found_in(clean()) == set(), checker.anomalies(clean())
    assert set(PLANTED.values()) == set(checker.anomalies(clean())), "an anomaly that is not planted"


def planted(plant):
    def check():
        lines = copy.deepcopy(clean())
        plant(lines)
        assert found_in(lines) == {PLANTED[plant]}, f"{found_in(lines)} for {PLANTED[plant]}"

    return check


def batch(base, count, epoch, content):
    header = segments.HEADER.pack(base, segments.HEADER.size - segments.BEFORE_LENGTH_ENDS + len(content), epoch, 2, 0, 0, count - 1)
    return header + content


def compared(*logs):
    """What is found where these are the logs of one partition, each in segments."""
    with tempfile.TemporaryDirectory() as home:
        dirs = {}
        for broker, files in enumerate(logs):
            folder = Path(home) / str(broker) / "t-0"
            folder.mkdir(parents=True)
            for number, content in enumerate(files):
                (folder / f"{number:020}.log").write_bytes(content)
            dirs[broker] = [folder.parent]
        differ, short, count, _ = segments.compare(dirs, {"t-0": list(dirs)})
        return differ, short, count


def replicas():
    one, two, three = batch(0, 2, 0, b"ab"), batch(2, 1, 0, b"c"), batch(3, 2, 1, b"de")
    # The same in other segments, one without what is old, one without what is new, one with room at its end.
    assert compared([one + two, three], [one, two + three]) == ([], [], 6)
    assert compared([one + two + three], [two + three]) == ([], [], 5)
    differ, short, _ = compared([one + two + three], [one + two + bytes(100)])
    assert not differ and short, "a log that ends before the others is not seen"
    otherwise = {
        "bytes": batch(2, 1, 0, b"x"),
        "leader epoch": batch(2, 1, 1, b"c"),
        "boundaries": batch(2, 2, 0, b"c"),
    }
    for what, instead in otherwise.items():
        found, *_ = compared([one + two + three], [one + instead + three])
        assert found, f"other {what} are not seen"
    found, *_ = compared([one + two + three], [one + three])
    assert found, "a batch that is missing is not seen"


def plans():
    assert faults.plan(7, 600) == faults.plan(7, 600) != faults.plan(8, 600)
    kinds = {fault.kind for seed in range(5) for fault in faults.plan(seed, 600)}
    assert kinds == set(faults.KINDS), kinds


def main():
    checks = [histories, replicas, plans, *(planted(plant) for plant in PLANTED)]
    names = ["a history without anomalies", "replicas", "plans", *(plant.__name__ for plant in PLANTED)]
    failed = 0
    for name, check in zip(names, checks):
        try:
            check()
            print(f"ok {name}")
        except AssertionError as error:
            failed += 1
            print(f"FAIL {name}: {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
