"""The clusters that are measured: three brokers each, with the settings that a broker has when it is told nothing but who it is."""

import os
import shutil
import signal
import subprocess

import network
import wire
from processes import Late, Program, await_that

BROKERS = (1, 2, 3)
PORT = 9092
CONTROLLER_PORT = 9093
ZOOKEEPER_PORT = 2181
START_S = 120
SYNC_S = 180
CLUSTER_ID = "c29yZGluaS1iZW5jaC0wMQ"

# `zookeeper.properties` as Kafka's documentation has it for several servers.
ZOOKEEPER = "tickTime=2000\ninitLimit=5\nsyncLimit=2\nmaxClientCnxns=0\nadmin.enableServer=false\n"

# `kafka-run-class.sh` and `kafka-server-start.sh` of 3.9, in their order.
JAVA_FLAGS = (
    "-Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 "
    "-XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true"
).split()


class System:
    """One cluster; `home` gets its logs and notes, which stay, and its data, which goes."""

    def __init__(self, home):
        self.home = home
        self.programs = []
        self.brokers = {}

    def path(self, name):
        return os.path.join(self.home, name)

    def java(self, main, arguments, flags=()):
        logging = f"-Dlog4j.configuration=file:{os.environ['KAFKA_LOGGING']}"
        return ["java", *flags, logging, "-cp", os.environ["KAFKA_CLASSPATH"], main, *arguments]

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def program(self, name, command):
        program = Program(name, command, self.path(f"{name}.log"))
        self.programs.append(program)
        return program

    def start(self):
        os.makedirs(self.home)
        self.prepare()
        for broker in BROKERS:
            command = network.inside(broker, self.command(broker))
            self.brokers[broker] = self.program(f"broker-{broker}", command).start()
        self.await_agreement(START_S)

    def stop(self):
        for program in reversed(self.programs):
            program.kill()
        for name in os.listdir(self.home):
            if not name.endswith((".log", ".notes")):
                shutil.rmtree(self.path(name)) if os.path.isdir(self.path(name)) else os.remove(self.path(name))

    def views(self):
        """What each broker says; None from whoever says nothing."""
        return [asked_or_none(wire.view_of, broker) for broker in BROKERS]

    def controller(self):
        return wire.view_of(addresses(BROKERS)[0]).controller

    def agree(self):
        views = self.views()
        first = views[0]
        if first is None or first.brokers != list(BROKERS) or first.behind():
            return False
        return all(view is not None and view.partitions == first.partitions for view in views) and self.knows_controller()

    def knows_controller(self):
        return all(view is not None and view.controller in BROKERS for view in self.views())

    def await_agreement(self, limit_s=SYNC_S):
        for broker, program in self.brokers.items():
            if not program.runs():
                raise Late(f"broker {broker} has ended by itself, with {program.child.returncode}")
        await_that(lambda: f"all brokers agree: {self.shown()}", limit_s, self.agree, 0.1)

    def shown(self):
        return [view and (view.brokers, view.controller, view.behind()[:3]) for view in self.views()]

    def terminate(self, broker):
        self.brokers[broker].send(signal.SIGTERM)
        return self.brokers[broker].await_end(START_S)


class Zookept(System):
    """Three ZooKeeper servers below it."""

    def prepare(self):
        servers = "".join(f"server.{n}={network.HUB}:{2900 + n}:{3900 + n};{network.HUB}:{ZOOKEEPER_PORT + n}\n" for n in BROKERS)
        for number in BROKERS:
            data = self.path(f"zookeeper-{number}")
            os.makedirs(data)
            with open(os.path.join(data, "myid"), "w") as file:
                file.write(str(number))
            properties = self.write(f"zookeeper-{number}.properties", f"dataDir={data}\n{ZOOKEEPER}{servers}")
            main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
            self.program(f"zookeeper-{number}", self.java(main, [properties], ["-Xmx512M", "-Xms512M"])).start()

    def settings(self, broker):
        address = f"PLAINTEXT://{network.address_of(broker)}:{PORT}"
        return {
            "broker.id": broker,
            "listeners": address,
            "advertised.listeners": address,
            "log.dirs": self.path(f"data-{broker}"),
            "zookeeper.connect": ",".join(f"{network.HUB}:{ZOOKEEPER_PORT + n}" for n in BROKERS),
        }


class Sordini(Zookept):
    name = "sordini"

    def command(self, broker):
        overrides = [f"{key}={value}" for key, value in self.settings(broker).items()]
        return [os.environ["SORDINI_BIN"], *(word for pair in overrides for word in ("--override", pair))]


class KafkaZk(Zookept):
    name = "kafka-zk"

    def command(self, broker):
        properties = self.write(f"broker-{broker}.properties", lines(self.settings(broker)))
        return self.java("kafka.Kafka", [properties], JAVA_FLAGS)


class KafkaKraft(System):
    """Every broker is a controller, too: a leader can be the active one."""

    name = "kafka-kraft"

    def settings(self, broker):
        address = network.address_of(broker)
        return {
            "process.roles": "broker,controller",
            "node.id": broker,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "listeners": f"PLAINTEXT://{address}:{PORT},CONTROLLER://{address}:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://{address}:{PORT},CONTROLLER://{address}:{CONTROLLER_PORT}",
            "controller.quorum.voters": ",".join(f"{n}@{network.address_of(n)}:{CONTROLLER_PORT}" for n in BROKERS),
            "log.dirs": self.path(f"data-{broker}"),
        }

    def prepare(self):
        for broker in BROKERS:
            properties = self.write(f"broker-{broker}.properties", lines(self.settings(broker)))
            format_it = self.java("kafka.tools.StorageTool", ["format", "--cluster-id", CLUSTER_ID, "--config", properties])
            subprocess.run(format_it, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self, broker):
        return self.java("kafka.Kafka", [self.path(f"broker-{broker}.properties")], JAVA_FLAGS)

    def controller(self):
        return wire.quorum_leader(addresses(BROKERS)[0])

    def knows_controller(self):
        return asked_or_none(wire.quorum_leader, BROKERS[0]) in BROKERS


SYSTEMS = {system.name: system for system in (Sordini, KafkaZk, KafkaKraft)}


def lines(settings):
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def addresses(brokers):
    return [(network.address_of(broker), PORT) for broker in brokers]


def bootstrap(brokers=BROKERS):
    return ",".join(f"{host}:{port}" for host, port in addresses(brokers))


def asked_or_none(question, broker):
    try:
        return question(addresses([broker])[0])
    except wire.NO_ANSWER:
        return None
