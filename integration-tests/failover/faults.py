"""The faults, and what clients notice of each."""

import signal
import sys
import time

import network
import topics
from clients import LIBRARIES, PARTITIONS, Client, now
from processes import await_that
from report import Row
from systems import BROKERS, bootstrap

# Longer than any client or broker with default settings waits, one after the other.
RECOVERED_S = 240
# What comes after the first acknowledgements, like the end of a dead broker's session, belongs to the fault.
AFTERWARDS_S = 5
BEFORE_S = 2
# Sordini takes the session away from a silent broker at once only where it has not done so in the last 30 s.
BETWEEN_SAME_S = 40


def say(text):
    print(text, file=sys.stderr, flush=True)


def milliseconds(nanoseconds):
    return None if nanoseconds is None else nanoseconds / 1e6


class Load:
    """Clients that write all the while; a row for each."""

    def __init__(self, system, fault, kinds):
        self.system = system
        self.fault = fault
        self.clients = {}
        self.rows = {}
        for kind, options in kinds.items():
            for library in LIBRARIES:
                name = f"{fault}-{library}{kind}".replace(" ", "-").replace("=", "-")
                self.clients[library, kind] = Client(system, library, "write", name, bootstrap(), options)
                self.rows[library, kind] = Row(fault, system.name, library, kind)
        self.topics = [client.topic for client in self.clients.values()]

    def start(self):
        topics.create(self.topics)
        self.system.await_agreement()
        for client in self.clients.values():
            client.start()
        for client in self.clients.values():
            client.await_first()
        return self

    def await_all(self, since):
        """Until every client has something of every partition acknowledged."""

        def silent():
            return {client.topic: heard for client in self.clients.values() if len(heard := client.heard(since)) < PARTITIONS}

        await_that(lambda: f"acknowledgements after {self.fault}, but of {silent()}", RECOVERED_S, lambda: not silent(), 0.1)

    def note_gaps(self, number, since, what):
        until = now()
        for key, client in self.clients.items():
            gap, partition = client.gap(since, until)
            self.rows[key].gaps.append(milliseconds(gap))
            say(f"  {self.system.name} {self.fault} {number} ({what}): {client.topic}-{partition} waited {gap / 1e6:.0f} ms")

    def say_gaps(self, number, since, what):
        for client in self.clients.values():
            gap, partition = client.gap(since, now())
            say(f"  {self.system.name} {self.fault} {number} ({what}): {client.topic}-{partition} waited {gap / 1e6:.0f} ms")

    def finish(self):
        for key, client in self.clients.items():
            status = client.finish()
            if status != 0:
                say(f"  {client.topic} ended with {status}; see its log")
        for key, client in self.clients.items():
            self.rows[key].count(client, *client.lost_and_twice(bootstrap()))
        topics.delete(self.topics)
        return list(self.rows.values())


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


def kill(system, runs):
    load, victims = Load(system, "kill -9", {"": ()}).start(), Victims(system)
    for number in range(1, runs + 1):
        topics.lead_evenly(system, load.topics)
        victim, what = victims.next(number)
        time.sleep(BEFORE_S)
        since = now()
        system.brokers[victim].send(signal.SIGKILL)
        load.await_all(since)
        time.sleep(AFTERWARDS_S)
        load.note_gaps(number, since, what)
        back = now()
        system.brokers[victim].await_end(1)
        system.brokers[victim].start()
        system.await_agreement()
        time.sleep(1)
        load.say_gaps(number, back, f"return of broker {victim}")
    return load.finish()
