"""The client programs under measurement, and what they have noted: see clients/python/steady.py for the format."""

import os
import sys
import time

from processes import Program, await_that

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON_CLIENTS = os.path.join(HERE, "..", "clients", "python")
sys.path.append(PYTHON_CLIENTS)
from numbered import read as read_back  # noqa: E402

PARTITIONS = 6
FIRST_S = 60
# Java and librdkafka give up by themselves after two and five minutes.
END_S = 360
LATELY = 500_000_000
LIBRARIES = ("java", "librdkafka")


class Client:
    """One program, one topic of its own."""

    def __init__(self, system, library, mode, topic, bootstrap, options=()):
        self.library = library
        self.topic = topic
        self.file = system.path(f"{topic}.notes")
        arguments = [mode, bootstrap, topic, str(PARTITIONS), self.file, *options]
        self.program = Program(topic, command_of(library, arguments), system.path(f"{topic}.log"), talks=True)
        system.programs.append(self.program)
        self.position = 0
        self.rest = ""
        self.acknowledged = [[] for _ in range(PARTITIONS)]
        self.numbers = [set() for _ in range(PARTITIONS)]
        self.failed = []
        self.is_ready = False

    def start(self):
        self.program.start()
        return self

    def await_first(self):
        await_that(f"an acknowledgement of every partition of {self.topic}", FIRST_S, lambda: self.listen() or all(self.acknowledged))

    def await_ready(self):
        await_that(f"{self.topic} is ready", FIRST_S, lambda: self.listen() or self.is_ready)

    def listen(self):
        if not os.path.exists(self.file):
            return
        with open(self.file) as file:
            file.seek(self.position)
            text = self.rest + file.read()
            self.position = file.tell()
        *lines, self.rest = text.split("\n")
        for line in lines:
            if line == "ready":
                self.is_ready = True
                continue
            partition, number, at, *error = line.split(" ", 3)
            if error:
                self.failed.append((int(partition), int(number), error[0]))
                continue
            self.acknowledged[int(partition)].append(int(at))
            self.numbers[int(partition)].add(int(number))

    def flowing(self, since):
        """The partitions that had something acknowledged after that time, and just now."""
        self.listen()
        recent = max(since, now() - LATELY)
        return [partition for partition, times in enumerate(self.acknowledged) if times and times[-1] > recent]

    def gap(self, since, until):
        """The longest between two acknowledgements of one partition, of those that end after `since`; and which one."""
        self.listen()
        return max((gap_of(times, since, until), partition) for partition, times in enumerate(self.acknowledged))

    def first_after(self, since):
        """How long after that time the last partition got its first acknowledgement; None where one got none."""
        self.listen()
        firsts = [next((at for at in times if at > since), None) for times in self.acknowledged]
        return None if None in firsts else max(firsts) - since

    def finish(self):
        self.program.end_of_input()
        status = self.program.await_end(END_S)
        self.listen()
        return status

    def lost_and_twice(self, bootstrap):
        lost, twice = [], []
        for partition in range(PARTITIONS):
            seen = set()
            for number, _offset in read_back(bootstrap, self.topic, partition):
                if number in seen:
                    twice.append((partition, number))
                seen.add(number)
            lost += [(partition, number) for number in sorted(self.numbers[partition] - seen)]
        return lost, twice


def gap_of(times, since, until):
    longest, before = 0, since
    for at in times:
        if at > until:
            break
        if at > since:
            longest = max(longest, at - before)
        before = at
    # One that has not ended is at least so long.
    return max(longest, until - before)


def now():
    return time.monotonic_ns()


def command_of(library, arguments):
    if library == "librdkafka":
        return [sys.executable, os.path.join(PYTHON_CLIENTS, "steady.py"), *arguments]
    logging = f"-Dlog4j.configuration=file:{os.environ['KAFKA_LOGGING']}"
    return ["java", logging, "-cp", os.environ["JAVA_CLIENTS"], "Steady", *arguments]
