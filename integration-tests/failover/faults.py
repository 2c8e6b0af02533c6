"""The faults, and what clients notice of each."""

import re
import signal
import sys
import time

import network
import topics
from clients import LIBRARIES, PARTITIONS, Client, now
from report import IMPATIENT, STARTED_THEN, Row
from systems import BROKERS, bootstrap

# Longer than any client or broker with default settings waits, one after the other.
RECOVERED_S = 240
# What comes after the first acknowledgements, like the end of a dead broker's session, belongs to the fault.
AFTERWARDS_S = 5
BEFORE_S = 2
SECOND = 1_000_000_000
# How long a request may take. librdkafka's own request.timeout.ms is a word to the broker alone.
IMPATIENCE = {"java": ["request.timeout.ms=2000"], "librdkafka": ["request.timeout.ms=2000", "socket.timeout.ms=2000"]}
# Sordini takes the session away from a silent broker at once only where it has not done so in the last 30 s.
BETWEEN_SAME_S = 40


def say(text):
    print(text, file=sys.stderr, flush=True)


def milliseconds(nanoseconds):
    return float("inf") if nanoseconds is None else round(nanoseconds / 1e6)


def topic_of(fault, library, kind):
    return re.sub("[^a-z0-9.]+", "-", f"{fault} {library}{kind}".lower())


class Load:
    """Clients that write all the while; a row for each."""

    def __init__(self, system, fault, kinds, rows):
        self.system = system
        self.fault = fault
        self.clients = {}
        self.rows = {}
        for kind, options in kinds.items():
            for library in LIBRARIES:
                name = topic_of(fault, library, kind)
                self.clients[library, kind] = Client(system, library, "write", name, bootstrap(), options.get(library, ()))
                self.rows[library, kind] = Row(fault, system.name, library, kind)
        self.topics = [client.topic for client in self.clients.values()]
        rows += self.rows.values()

    def start(self):
        topics.create(self.topics)
        self.system.await_agreement()
        for client in self.clients.values():
            client.start()
        for client in self.clients.values():
            client.await_first()
        return self

    def await_all(self, since):
        """Until acknowledgements of all partitions come in to every client, and still do a while later."""
        # What was on its way at that moment may be acknowledged yet.
        begun, deadline = since + SECOND, time.monotonic() + RECOVERED_S
        while time.monotonic() < deadline:
            if not self.silent(begun):
                time.sleep(AFTERWARDS_S)
                if not self.silent(begun):
                    return
            time.sleep(0.1)
        # A figure as well: the gap is as long as that.
        say(f"  {self.system.name} {self.fault}: after {RECOVERED_S} s only these partitions go on: {self.silent(begun)}")

    def silent(self, since):
        flowing = {client.topic: client.flowing(since) for client in self.clients.values()}
        return {topic: partitions for topic, partitions in flowing.items() if len(partitions) < PARTITIONS}

    def note_gaps(self, number, since, what):
        for key, gap in self.gaps(number, since, what):
            self.rows[key].gaps.append(gap / 1e6)

    def say_return(self, number, since, what, afterwards_s=AFTERWARDS_S):
        self.system.await_agreement()
        time.sleep(afterwards_s)
        for _ in self.gaps(number, since, what):
            pass

    def gaps(self, number, since, what):
        until = now()
        for key, client in self.clients.items():
            gap, partition = client.gap(since, until)
            say(f"  {self.system.name} {self.fault} {number} ({what}): {client.topic}-{partition} waited {gap / 1e6:.0f} ms")
            yield key, gap

    def finish(self):
        for client in self.clients.values():
            status = client.finish()
            if status != 0:
                say(f"  {client.topic} ended with {status}; see its log")
        for key, client in self.clients.items():
            self.rows[key].count(client, *client.lost_and_twice(bootstrap()))
        topics.delete(self.topics)


class Newcomers:
    """Clients that come once the fault is there. They ask those brokers that are well: whom they ask first is their own affair."""

    def __init__(self, system, fault, rows):
        self.system = system
        self.fault = fault
        self.rows = {library: Row(fault, system.name, library, STARTED_THEN) for library in LIBRARIES}
        self.clients = {}
        self.topics = []
        rows += self.rows.values()

    def create_topics(self, number):
        names = {library: f"{topic_of(self.fault, library, STARTED_THEN)}-{number}" for library in LIBRARIES}
        self.topics = list(names.values())
        topics.create(self.topics)
        self.system.await_agreement()
        self.names = names

    def prepare(self, others):
        for library, name in self.names.items():
            self.clients[library] = Client(self.system, library, "newcomers", name, bootstrap(others)).start()
        for client in self.clients.values():
            client.await_ready()

    def start(self):
        for client in self.clients.values():
            client.program.say("now")

    def note(self, number, since, what):
        for library, client in self.clients.items():
            first = client.first_after(since)
            self.rows[library].gaps.append(milliseconds(first))
            say(f"  {self.system.name} {self.fault} {number} ({what}): {client.topic} was accepted after {milliseconds(first)} ms")

    def finish(self):
        for library, client in self.clients.items():
            client.finish()
            self.rows[library].count(client, *client.lost_and_twice(bootstrap()))
        topics.delete(self.topics)


class Victims:
    """Leaders that are the controller and leaders that are not, in turn; none again too soon."""

    def __init__(self, system):
        self.system = system
        self.last = dict.fromkeys(BROKERS, 0.0)

    def next(self, number):
        controller = self.system.controller()
        others = sorted((broker for broker in BROKERS if broker != controller), key=self.last.get)
        victim = controller if number % 2 else others[0]
        time.sleep(max(0, self.last[victim] + BETWEEN_SAME_S - time.monotonic()) if self.last[victim] else 0)
        self.last[victim] = time.monotonic()
        what = "the controller" if victim == controller else "not the controller"
        return victim, f"broker {victim}, {what}"


def kill(system, runs, rows):
    load, victims = Load(system, "kill -9", {"": {}}, rows).start(), Victims(system)
    for number in range(1, runs + 1):
        topics.lead_evenly(system, load.topics)
        victim, what = victims.next(number)
        time.sleep(BEFORE_S)
        since = now()
        system.brokers[victim].send(signal.SIGKILL)
        load.await_all(since)
        load.note_gaps(number, since, what)
        back = now()
        system.brokers[victim].start()
        load.say_return(number, back, f"return of broker {victim}")
    load.finish()


def roll(system, runs, rows):
    load = Load(system, "rolling restart", {"": {}}, rows).start()
    for number in range(1, runs + 1):
        topics.lead_evenly(system, load.topics)
        time.sleep(BEFORE_S)
        begun = now()
        for broker in BROKERS:
            since = now()
            status = system.terminate(broker)
            system.brokers[broker].start()
            load.say_return(number, since, f"broker {broker}, which ended with {status}, and came back", 0)
        time.sleep(AFTERWARDS_S)
        load.note_gaps(number, begun, "all three")
    load.finish()


def stop(system, runs, rows):
    def resume(broker):
        system.brokers[broker].send(signal.SIGCONT)

    hang(system, runs, rows, "SIGSTOP", lambda broker: system.brokers[broker].send(signal.SIGSTOP), resume)


def cut(system, runs, rows):
    hang(system, runs, rows, "network cut", network.cut, network.mend)


def hang(system, runs, rows, fault, begin, end):
    """A broker that says nothing any more, until everybody has noticed; then it goes on where it was."""
    load, victims = Load(system, fault, {"": {}, IMPATIENT: IMPATIENCE}, rows).start(), Victims(system)
    newcomers = Newcomers(system, fault, rows)
    for number in range(1, runs + 1):
        newcomers.create_topics(number)
        topics.lead_evenly(system, load.topics + newcomers.topics)
        victim, what = victims.next(number)
        newcomers.prepare([broker for broker in BROKERS if broker != victim])
        time.sleep(BEFORE_S)
        since = now()
        begin(victim)
        newcomers.start()
        load.await_all(since)
        load.note_gaps(number, since, what)
        newcomers.note(number, since, what)
        back = now()
        end(victim)
        load.say_return(number, back, f"return of broker {victim}")
        newcomers.finish()
    load.finish()
