"""What is done to the processes, the network and the disks: a plan that follows from a seed, and the doing of it."""

import itertools
import random
import signal
import subprocess
import time
from dataclasses import dataclass

from cluster import ADDRESSES, BROKERS, CLIENTS, SMALL_DISK_BYTES, ZOOKEEPERS, drop, run

# A quiet time now and then lets everybody come back, so that what follows hits a cluster that works.
QUIET_S = 12
FIRST_S, LAST_S = 6, 15
LONGEST_S = 14
# In a file system that is full by now there is this much left, so that a write may also end half-way.
LEFT_BYTES = 6000


@dataclass(frozen=True)
class Fault:
    """`kind` hits `targets` (names, or pairs RECEIVER SENDER) from `at` on for `lasts` seconds after the start."""

    at: float
    lasts: float
    kind: str
    targets: tuple

    def __str__(self):
        named = (target if isinstance(target, str) else f"{target[0]}<-{target[1]}" for target in self.targets)
        return f"{self.kind} {' '.join(named)} for {self.lasts:.1f} s"


def plan(seed, seconds):
    """All faults of a run. Two may overlap, but no process is killed, paused or refused by its disk twice at a time."""
    rng = random.Random(seed)
    faults, at, busy_until, left = [], FIRST_S, {}, rng.randint(3, 8)
    while at < seconds - LAST_S:
        fault = one(rng, at)
        free = all(busy_until.get(name, 0) < at for name in processes(fault))
        if free:
            faults.append(fault)
            busy_until |= {name: at + fault.lasts + 1 for name in processes(fault)}
            left -= 1
        at += rng.uniform(1, 9)
        if left == 0:
            at = max([at, *(it.at + it.lasts for it in faults)]) + QUIET_S
            left = rng.randint(3, 8)
    return faults


def one(rng, at):
    kind, choose = rng.choices(list(KINDS.items()), WEIGHTS.values())[0]
    lasts = rng.choice([rng.uniform(0.1, 2), rng.uniform(2, 7), rng.uniform(5, LONGEST_S)])
    return Fault(at, lasts, kind, choose(rng))


def processes(fault):
    return [name for name in fault.targets if isinstance(name, str)]


def some_brokers(rng):
    return tuple(rng.sample(BROKERS, rng.choice([1, 1, 1, 1, 2, 2, 3])))


def one_broker(rng):
    return (rng.choice(BROKERS),)


def some_zookeepers(rng):
    return tuple(rng.sample(ZOOKEEPERS, rng.choice([1, 1, 2, 3])))


def pair(rng):
    """Who talks to each other: two brokers most of the time, a broker and its ZooKeeper, a broker and the clients."""
    first = rng.choice(BROKERS)
    others = [it for it in BROKERS if it != first]
    return first, rng.choice([*others, *others, CLIENTS, rng.choice(ZOOKEEPERS)])


def both_ways(pairs):
    return tuple(itertools.chain.from_iterable(((one, other), (other, one)) for one, other in pairs))


def cut(rng):
    return both_ways([pair(rng)])


def cut_one_way(rng):
    first, second = pair(rng)
    return ((first, second),) if rng.random() < 0.5 else ((second, first),)


def isolated(rng):
    """From all others; from the other brokers and ZooKeeper, but not from the clients; from ZooKeeper alone."""
    name = rng.choice(BROKERS)
    others = [it for it in BROKERS if it != name]
    from_whom = rng.choice([[CLIENTS, *others, *ZOOKEEPERS], [*others, *ZOOKEEPERS], ZOOKEEPERS, others])
    pairs = both_ways((name, it) for it in from_whom)
    return rng.choice([pairs, pairs, tuple(it for it in pairs if it[0] == name), tuple(it for it in pairs if it[1] == name)])


KINDS = {
    "kill": some_brokers,
    "bounce": one_broker,
    "terminate": one_broker,
    "pause": some_brokers,
    "cut": cut,
    "cut-one-way": cut_one_way,
    "isolate": isolated,
    "kill-zookeeper": some_zookeepers,
    "pause-zookeeper": some_zookeepers,
    "fail-writes": one_broker,
    "fail-fsyncs": one_broker,
    "fill-disk": one_broker,
}
WEIGHTS = dict.fromkeys(KINDS, 1.0) | {"kill": 2.5, "pause": 2.5, "cut": 2, "cut-one-way": 2.5, "isolate": 2.5}
assert set(ADDRESSES) == {CLIENTS, *BROKERS, *ZOOKEEPERS}


class Faults:
    """Does what the plan says, each at its time; `end_all` undoes what still is."""

    def __init__(self, cluster, faults, say):
        self.cluster = cluster
        self.say = say
        self.due = sorted(faults, key=lambda fault: fault.at)
        self.active = []
        self.injections = {}
        self.count = {}

    def step(self, elapsed):
        for fault in [it for it in self.active if it.at + it.lasts <= elapsed]:
            self.finish(fault)
        while self.due and self.due[0].at <= elapsed:
            fault = self.due.pop(0)
            self.say(str(fault))
            self.active.append(fault)
            self.count[fault.kind] = self.count.get(fault.kind, 0) + 1
            self.apply(fault, True)

    def finish(self, fault):
        self.active.remove(fault)
        self.apply(fault, False)
        self.say(f"end of {fault.kind} {' '.join(processes(fault))}")

    def end_all(self):
        self.due = []
        for fault in list(self.active):
            self.finish(fault)

    def apply(self, fault, begins):
        for target in fault.targets:
            if isinstance(target, str):
                DOING[fault.kind][0 if begins else 1](self, target)
            else:
                drop("--append" if begins else "--delete", *target)

    def node(self, name):
        return self.cluster.nodes[name]

    def kill(self, name):
        self.node(name).kill()

    def revive(self, name):
        self.cluster.revive(name)

    def bounce(self, name):
        self.node(name).kill()
        self.node(name).start()

    def terminate(self, name):
        self.node(name).is_expected_to_end = True
        self.node(name).signal(signal.SIGTERM)

    def terminated(self, name):
        # One that cannot reach its controller takes its time.
        if self.node(name).is_running():
            self.node(name).kill()
        self.node(name).start()

    def pause(self, name):
        self.node(name).pause()

    def resume(self, name):
        self.node(name).resume()

    def nothing(self, name):
        pass

    def inject(self, name, calls):
        """strace lets these calls fail: the broker makes them without libc, so nothing preloaded could."""
        node = self.node(name)
        node.is_expected_to_end = True
        files = [str(file) for folder in self.cluster.log_dirs(name)[:1] for file in folder.glob("*/*") if file.is_file()]
        paths = [part for file in files for part in ("--trace-path", file)]
        command = ["strace", "--follow-forks", "--attach", str(node.child.pid), f"--trace={calls}", f"--inject={calls}:error=EIO"]
        log = (self.cluster.folder / f"strace-{name}.log").open("ab")
        self.injections[name] = subprocess.Popen([*command, *paths], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def fail_writes(self, name):
        self.inject(name, "pwritev,pwrite64")

    def fail_fsyncs(self, name):
        self.inject(name, "fdatasync,fsync")

    def injected(self, name):
        tracer = self.injections.pop(name)
        tracer.terminate()
        tracer.wait()
        self.disk_works(name)

    def disk_works(self, name):
        """A directory that has failed is used again after a restart only."""
        self.node(name).is_expected_to_end = True
        if self.node(name).is_running():
            self.node(name).kill()
        self.node(name).start()

    def fill_disk(self, name):
        self.node(name).is_expected_to_end = True
        folder = self.cluster.small_disk(name)
        used = subprocess.check_output(["df", "--output=used", "--block-size=1", str(folder)], text=True).split()[1]
        resize(folder, int(used) + LEFT_BYTES)

    def empty_disk(self, name):
        resize(self.cluster.small_disk(name), SMALL_DISK_BYTES)
        self.disk_works(name)


def resize(folder, size):
    run("mount", "-o", f"remount,size={size}", str(folder))


DOING = {
    "kill": (Faults.kill, Faults.revive),
    "bounce": (Faults.bounce, Faults.nothing),
    "terminate": (Faults.terminate, Faults.terminated),
    "pause": (Faults.pause, Faults.resume),
    "kill-zookeeper": (Faults.kill, Faults.revive),
    "pause-zookeeper": (Faults.pause, Faults.resume),
    "fail-writes": (Faults.fail_writes, Faults.injected),
    "fail-fsyncs": (Faults.fail_fsyncs, Faults.injected),
    "fill-disk": (Faults.fill_disk, Faults.empty_disk),
}


def follow_plan(faults, seconds, each_second):
    began = time.monotonic()
    spoken = 0
    while (elapsed := time.monotonic() - began) < seconds:
        faults.step(elapsed)
        if elapsed > spoken:
            spoken += 1
            each_second()
        time.sleep(0.02)
