"""Three ZooKeeper servers and three brokers, each in a network namespace of its own, on one bridge with the clients.

All of it lives in namespaces (mounts, network, processes) that `scripts/chaos` has made: whatever is mounted, bridged or
running there is gone with its first process, however that one ends.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = "clients"
BROKERS = ["broker-1", "broker-2", "broker-3"]
ZOOKEEPERS = ["zookeeper-1", "zookeeper-2", "zookeeper-3"]
ADDRESSES = {CLIENTS: "10.77.0.1"}
ADDRESSES |= {name: f"10.77.0.{11 + i}" for i, name in enumerate(BROKERS)}
ADDRESSES |= {name: f"10.77.0.{21 + i}" for i, name in enumerate(ZOOKEEPERS)}
PORT, ZOOKEEPER_PORT = 9092, 2181
# The second directory of each broker: of a size that can be changed, so that it can be full.
SMALL_DISK_BYTES = 2 << 30
START_S = 60
NO_ZOOKEEPER = "(zookeeper.connection.timeout.ms)"
SETTINGS = {
    "zookeeper.session.timeout.ms": 4000,
    "replica.lag.time.max.ms": 5000,
    "default.replication.factor": 3,
    "offsets.topic.replication.factor": 3,
    "offsets.topic.num.partitions": 6,
    "group.initial.rebalance.delay.ms": 0,
    # Small, so that there is more than one segment, and a restart has something to do.
    "log.segment.bytes": 1 << 20,
    "leader.imbalance.check.interval.seconds": 20,
}


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def number_of(name):
    return int(name[-1])


class Node:
    """One process in one network namespace; it can be killed, paused and started again."""

    def __init__(self, name, folder, command):
        self.name = name
        self.command = command
        self.log = folder / f"{name}.log"
        self.child = None
        self.is_expected_to_end = False
        self.deaths = []

    def start(self):
        self.is_expected_to_end = False
        with self.log.open("ab") as log:
            log.write(f"--- started at {time.monotonic():.3f}\n".encode())
            log.flush()
            self.child = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.name}", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for who ends all of this in order.
                start_new_session=True,
            )

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def note_death(self):
        """Whether it has ended by itself, which nobody has asked for: noted once."""
        if self.child is None or self.is_running() or self.is_expected_to_end:
            return False
        self.is_expected_to_end = True
        last = self.last_line()
        # A broker without ZooKeeper does not start; it is started again until it does.
        if NO_ZOOKEEPER not in last:
            self.deaths.append(f"{self.name} ended by itself with {self.child.returncode}: {last}")
        return True

    def last_line(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def signal(self, which):
        if self.is_running():
            self.child.send_signal(which)

    def kill(self):
        self.note_death()
        self.is_expected_to_end = True
        self.signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, limit_s):
        self.note_death()
        self.is_expected_to_end = True
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.nodes = {}
        make_network()
        for name in ZOOKEEPERS:
            self.nodes[name] = Node(name, folder, self.zookeeper_command(name))
        for name in BROKERS:
            self.nodes[name] = Node(name, folder, self.broker_command(name))
            self.small_disk(name).mkdir(parents=True)
            run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(self.small_disk(name)))

    def small_disk(self, name):
        return self.folder / f"small-disk-{name}"

    def log_dirs(self, name):
        return [self.folder / f"data-{name}", self.small_disk(name) / "data"]

    def zookeeper_command(self, name):
        home = self.folder / name
        home.mkdir()
        (home / "myid").write_text(str(number_of(name)))
        servers = [f"server.{number_of(it)}={ADDRESSES[it]}:2888:3888;{ADDRESSES[it]}:{ZOOKEEPER_PORT}" for it in ZOOKEEPERS]
        settings = [f"dataDir={home}", "tickTime=500", "initLimit=20", "syncLimit=10", "minSessionTimeout=1000"]
        settings += ["maxClientCnxns=0", "admin.enableServer=false", "4lw.commands.whitelist=*", *servers]
        file = self.folder / f"{name}.properties"
        file.write_text("\n".join(settings) + "\n")
        logging = ROOT / "integration-tests/kafka/log4j.properties"
        java = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j.configuration=file:{logging}"]
        return [*java, "-cp", kafka_jars("3.9.1"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(file)]

    def broker_command(self, name):
        binary = os.environ.get("SORDINI_BIN") or str(ROOT / "target/release/sordini")
        settings = SETTINGS | {
            "broker.id": number_of(name),
            "listeners": f"PLAINTEXT://{ADDRESSES[name]}:{PORT}",
            "log.dirs": ",".join(str(it) for it in self.log_dirs(name)),
            "zookeeper.connect": ",".join(f"{ADDRESSES[it]}:{ZOOKEEPER_PORT}" for it in ZOOKEEPERS),
        }
        given = [part for key, value in settings.items() for part in ("--override", f"{key}={value}")]
        level = os.environ.get("CHAOS_LOG_LEVEL", "info")
        return [binary, *given, "--log-level", level]

    def start(self):
        for name in ZOOKEEPERS:
            self.nodes[name].start()
        for name in ZOOKEEPERS:
            await_port(self.nodes[name], ZOOKEEPER_PORT)
        for name in BROKERS:
            self.nodes[name].start()
        for name in BROKERS:
            await_port(self.nodes[name], PORT)

    def revive(self, name):
        """Started again, unless it runs."""
        if not self.nodes[name].is_running():
            self.nodes[name].note_death()
            self.nodes[name].start()

    def supervise(self):
        for node in self.nodes.values():
            if node.note_death():
                node.start()

    def deaths(self):
        for node in self.nodes.values():
            node.note_death()
        return [death for node in self.nodes.values() for death in node.deaths]

    def kill_all(self):
        for node in self.nodes.values():
            if node.is_running():
                node.kill()


def kafka_jars(version):
    return subprocess.check_output([ROOT / "scripts/kafka-jars", version], text=True).strip()


def make_network():
    # `ip netns` keeps its names there; the mount is seen by nobody else.
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "hub", "type", "bridge")
    run("ip", "address", "add", f"{ADDRESSES[CLIENTS]}/24", "dev", "hub")
    run("ip", "link", "set", "hub", "up")
    for name in [*BROKERS, *ZOOKEEPERS]:
        # The name of a link is short.
        link = name.replace("zookeeper", "zk")
        run("ip", "netns", "add", name)
        run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", link, "master", "hub", "up")
        run("ip", "-n", name, "address", "add", f"{ADDRESSES[name]}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")


def in_namespace(name):
    return [] if name == CLIENTS else ["nsenter", f"--net=/run/netns/{name}"]


def drop(action, receiver, sender):
    """`--append` or `--delete`: whatever the one sends does not reach the other."""
    run(*in_namespace(receiver), "iptables", "--wait", action, "INPUT", "--source", ADDRESSES[sender], "--jump", "DROP")


def answers(name, port):
    try:
        socket.create_connection((ADDRESSES[name], port), 1).close()
    except OSError:
        return False
    return True


def await_port(node, port):
    deadline = time.monotonic() + START_S
    while not answers(node.name, port):
        if not node.is_running() or time.monotonic() > deadline:
            raise RuntimeError(f"{node.name} does not answer: {node.last_line()}")
        time.sleep(0.1)


def bootstrap():
    return ",".join(f"{ADDRESSES[name]}:{PORT}" for name in BROKERS)


def panics(folder):
    found = []
    for name in BROKERS:
        for line in (folder / f"{name}.log").read_text(errors="replace").splitlines():
            if re.search(r"panicked at", line):
                found.append(f"{name}: {line}")
    return found


def read_lines(file):
    """The events of a history; of one that was killed the last line may be torn."""
    with file.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)
