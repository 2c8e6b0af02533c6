"""What histories of clients say about brokers. Pure: lines in, anomalies out.

A line is an object with `at` (nanoseconds of a clock that all share), `by` (one life of one client) and `what`:

send       topic partition number began, and offset or error   a record `by:number` was answered; offset -1 is not known
stopped    sent                                                 how many records it has sent to each `topic-partition`
assigned   topic partition offset                               from here this client reads this partition from this offset
poll       topic partition records=[[offset, value], …]         in the order in which it got them
read       topic partition offset                               the reader at the end got to the end, which is this offset
commit     group topic partition offset began, error or none    no error: the group's offset was committed
committed  group topic partition offset began                   what the group was told to have committed, none for nothing
end        topic partition offset began                         the offset at which this client was told a partition ends
fatal      error                                                the client gave up
create     topic began, error or none                           a topic was to be made; each name is made once
delete     topic began, error or none                           a topic was to be deleted
topics     names                                                what topics there are in the end
"""

from collections import defaultdict

# The client that reads everything when all is over: what it does not find is lost.
READER = "reader"


def anomalies(lines):
    """{name of the check: [what was found]}, for every check, also those that found nothing."""
    history = History(lines)
    return {
        "acknowledged records are there": lost(history),
        "no record is there twice": duplicated(history),
        "records of one producer are in order": reordered(history),
        "every offset holds one record": inconsistent(history),
        "nobody reads what nobody has sent": invented(history),
        "polls go on where they were": polls_that_jump(history),
        "commits are not forgotten": commits_forgotten(history),
        "the end does not go back": ends_that_go_back(history),
        "the end is behind what is acknowledged": ends_too_early(history),
        "topics are there as they were made": topics_otherwise(history),
        "no client gave up": [f"{line['by']}: {line['error']}" for line in history.of("fatal")],
    }


class History:
    def __init__(self, lines):
        self.kinds = defaultdict(list)
        for line in sorted(lines, key=lambda line: line["at"]):
            self.kinds[line["what"]].append(line)
        # What is there in the end: {partition: [(offset, value), …]}.
        self.final = defaultdict(list)
        for line in self.kinds["poll"]:
            if line["by"] == READER:
                self.final[where(line)].extend((offset, value) for offset, value in line["records"])

    def of(self, *kinds):
        found = [line for kind in kinds for line in self.kinds[kind]]
        return sorted(found, key=lambda line: line["at"]) if len(kinds) > 1 else found

    def acknowledged(self):
        return (line for line in self.kinds["send"] if "error" not in line)


def where(line):
    return line["topic"], line["partition"]


def shown(place):
    return f"{place[0]}-{place[1]}"


def value_of(send):
    return f"{send['by']}:{send['number']}"


def lost(history):
    found = []
    there = {place: {value for _, value in records} for place, records in history.final.items()}
    for send in history.acknowledged():
        if value_of(send) not in there.get(where(send), ()):
            found.append(f"{shown(where(send))}: {value_of(send)}, acknowledged at {send['at']} with offset {send['offset']}")
    return found


def duplicated(history):
    found = []
    for place, records in history.final.items():
        first = {}
        for offset, value in records:
            if value in first and first[value] != offset:
                found.append(f"{shown(place)}: {value} at {first[value]} and {offset}")
            first.setdefault(value, offset)
    return found


def reordered(history):
    """Of each producer, as the log has them; a record that is there again is another matter."""
    found = []
    for place, records in history.final.items():
        highest, seen = {}, set()
        for offset, value in records:
            producer, _, number = value.rpartition(":")
            if value in seen or not number.isdecimal():
                continue
            seen.add(value)
            if int(number) < highest.get(producer, -1):
                found.append(f"{shown(place)}: {value} at {offset}, after {producer}:{highest[producer]}")
            highest[producer] = max(int(number), highest.get(producer, -1))
    return found


def inconsistent(history):
    """What acknowledgements and polls of everybody say about one offset."""
    found, told = [], defaultdict(dict)

    def heard(place, offset, value, by):
        before = told[place].setdefault(offset, (value, by))
        if before[0] != value:
            found.append(f"{shown(place)}: offset {offset} is {before[0]} for {before[1]}, {value} for {by}")

    for line in history.of("send", "poll"):
        if line["what"] == "poll":
            for offset, value in line["records"]:
                heard(where(line), offset, value, line["by"])
        elif line.get("offset", -1) >= 0:
            heard(where(line), line["offset"], value_of(line), line["by"])
    return found


def invented(history):
    sent = {}
    for line in history.of("stopped"):
        for place, count in line["sent"].items():
            sent[line["by"], place] = count
    found = set()
    for line in history.of("poll"):
        for offset, value in line["records"]:
            producer, _, number = value.rpartition(":")
            if not number.isdecimal() or int(number) >= sent.get((producer, shown(where(line))), 0):
                found.add(f"{shown(where(line))}: {value!r} at {offset}")
    return sorted(found)


def polls_that_jump(history):
    """Without transactions and compaction every offset is a record: each poll begins where the one before has ended."""
    found, positions = [], {}
    for line in history.of("assigned", "poll"):
        key = line["by"], where(line)
        if line["what"] == "assigned":
            positions[key] = line["offset"]
            continue
        for offset, value in line["records"]:
            expected = positions.get(key)
            if expected is None:
                found.append(f"{shown(where(line))}: {line['by']} got {offset} and has not been assigned it")
            elif offset != expected:
                how = "back" if offset < expected else "ahead"
                found.append(f"{shown(where(line))}: {line['by']} at {line['at']} goes {how} from {expected} to {offset} ({value})")
            positions[key] = offset + 1
    return found


def commits_forgotten(history):
    """What a group is told is no less than what was acknowledged before it asked; a commit without an answer may come late."""
    found, acknowledged, unanswered, tried = [], defaultdict(list), defaultdict(set), defaultdict(set)
    for line in history.of("commit"):
        key = line["group"], where(line)
        tried[key].add(line["offset"])
        if line["error"] is None:
            acknowledged[key].append((line["at"], line["offset"], line["by"]))
        else:
            unanswered[key].add(line["offset"])
    for line in history.of("committed"):
        key = line["group"], where(line)
        told = line["offset"]
        before = [(offset, by, at) for at, offset, by in acknowledged[key] if at < line["began"]]
        offset, by, at = max(before, default=(0, None, None))
        if (told or 0) < offset and told not in unanswered[key]:
            what = f"{line['group']} is told {told} at {line['at']}, {by} committed {offset} at {at}"
            found.append(f"{shown(where(line))}: {what}")
        if told is not None and told not in tried[key]:
            found.append(f"{shown(where(line))}: {line['group']} is told {told}, which nobody has committed")
    return found


def ends_that_go_back(history):
    found, highest = [], {}
    for line in history.of("end"):
        key = line["by"], where(line)
        if line["offset"] < highest.get(key, 0):
            found.append(f"{shown(where(line))}: {line['by']} is told {line['offset']} at {line['at']}, after {highest[key]}")
        highest[key] = max(line["offset"], highest.get(key, 0))
    return found


def ends_too_early(history):
    """Once nothing is broken any more: the end that the reader found is behind every offset that was acknowledged."""
    found, ends = [], {where(line): line["offset"] for line in history.of("read")}
    for send in history.acknowledged():
        end = ends.get(where(send))
        if end is None or send["offset"] >= end:
            found.append(f"{shown(where(send))}: {value_of(send)} at {send['offset']}, the end is {end}")
    return found


def topics_otherwise(history):
    """Of a request without a clear answer nobody knows whether it was done, or will be."""
    asked = {what: {line["topic"]: line["error"] for line in history.of(what)} for what in ("create", "delete")}
    found = []
    for names in (set(line["names"]) for line in history.of("topics")):
        gone = [name for name, error in asked["create"].items() if error is None and name not in asked["delete"] and name not in names]
        kept = [name for name, error in asked["delete"].items() if error is None and name in names]
        found.extend(f"{name} was made and is gone" for name in gone)
        found.extend(f"{name} was deleted and is there" for name in kept)
    return found


def longest_gaps(lines):
    """No anomaly, but worth a look: (seconds, partition, until when) of the longest time without an acknowledgement, longest first."""
    last, longest = {}, {}
    for line in sorted((it for it in lines if it["what"] == "send" and "error" not in it), key=lambda it: it["at"]):
        place, at = shown(where(line)), line["at"] / 1e9
        longest[place] = max(longest.get(place, (0, place, at)), (at - last.get(place, at), place, at))
        last[place] = at
    return sorted(longest.values(), reverse=True)
