"""What one broker says about its cluster, asked on a connection of its own."""

import socket
import struct

LIMIT_S = 2
# A refused or silent connection, and one that ends amid an answer.
NO_ANSWER = (OSError, struct.error)


class View:
    """Ids of the brokers, the controller's id, and {(topic, partition): (leader, replicas, isr)}."""

    def __init__(self, brokers, controller, partitions):
        self.brokers = brokers
        self.controller = controller
        self.partitions = partitions

    def __eq__(self, other):
        return vars(self) == vars(other)

    def led_by(self, broker, topic):
        return [number for (name, number), (leader, *_) in self.partitions.items() if (name, leader) == (topic, broker)]

    def behind(self):
        """The partitions that lack a leader or a replica."""
        return [key for key, (leader, replicas, isr) in self.partitions.items() if leader < 0 or len(isr) < len(replicas)]


class Answer:
    def __init__(self, stream):
        self.stream = stream

    def number(self, form):
        return struct.unpack(form, self.stream.read(struct.calcsize(form)))[0]

    def text(self):
        length = self.number(">h")
        return self.stream.read(length).decode() if length >= 0 else None

    def array(self, read):
        return [read() for _ in range(self.number(">i"))]

    def ids(self):
        return self.array(lambda: self.number(">i"))

    def broker(self):
        return (self.number(">i"), self.text(), self.number(">i"), self.text())[0]

    def partition(self):
        _, number, leader = self.number(">h"), self.number(">i"), self.number(">i")
        return number, (leader, self.ids(), sorted(self.ids()))

    def topic(self):
        _, name, _ = self.number(">h"), self.text(), self.number(">?")
        return [((name, number), state) for number, state in self.array(self.partition)]


def asked(address, request, read):
    with socket.create_connection(address, LIMIT_S) as client:
        client.sendall(struct.pack(">i", len(request)) + request)
        with client.makefile("rb") as stream:
            return read(Answer(stream))


def view_of(address):
    """By Metadata version 4, of all topics."""

    def read(answer):
        answer.stream.read(12)
        brokers, _, controller = sorted(answer.array(answer.broker)), answer.text(), answer.number(">i")
        return View(brokers, controller, dict(part for topic in answer.array(answer.topic) for part in topic))

    return asked(address, struct.pack(">hhihi?", 3, 4, 0, -1, -1, False), read)


def quorum_leader(address):
    """By DescribeQuorum version 0: a KRaft broker names any broker as the controller in its metadata."""
    name = b"__cluster_metadata"
    topic = struct.pack(">BB", 2, len(name) + 1) + name + struct.pack(">BiBBB", 2, 0, 0, 0, 0)

    def read(answer):
        # Length, correlation id, tags; error, one topic and its name, one partition with number and error.
        answer.stream.read(4 + 4 + 1 + 2 + 1 + 1 + len(name) + 1 + 4 + 2)
        return answer.number(">i")

    return asked(address, struct.pack(">hhihB", 55, 0, 0, -1, 0) + topic, read)
