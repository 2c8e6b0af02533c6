"""Clients on librdkafka that write down what they do, a line of JSON for each thing, until SIGTERM.

clients.py produce BY FILE BOOTSTRAP SECONDS_LEFT TOPIC=PARTITIONS…     an idempotent producer with acks=all
clients.py consume BY FILE BOOTSTRAP GROUP TOPIC=PARTITIONS…            a member of a group that commits what it has seen
clients.py follow  BY FILE BOOTSTRAP TOPIC=PARTITIONS…                  reads every partition, and asks where each ends
clients.py read    BY FILE BOOTSTRAP TOPIC=PARTITIONS…                  reads everything that is there, and ends

What a line says: checker.py.
"""

import json
import random
import signal
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

TICK_S = 0.05
# Of one partition on its way: enough for batches while a leader is away.
IN_FLIGHT = 200
COMMIT_EVERY_S = 0.4
MEMBER_S = (15, 40)
READ_LIMIT_S = 120
PADDING = "." * 80
# Short, so that whoever hangs or is cut off is given up within the time of a fault.
COMMON = {
    "topic.metadata.refresh.interval.ms": 500,
    "socket.timeout.ms": 5000,
    "socket.connection.setup.timeout.ms": 2000,
    "reconnect.backoff.max.ms": 500,
}

stopping = threading.Event()


def now():
    return time.monotonic_ns()


class History:
    """Lines of one client; each is whole or absent, also after a SIGKILL."""

    def __init__(self, by, file):
        self.by = by
        self.file = open(file, "a", buffering=1)
        self.lock = threading.Lock()

    def note(self, what, **facts):
        line = json.dumps({"at": now(), "by": self.by, "what": what, **facts}, separators=(",", ":"))
        with self.lock:
            self.file.write(line + "\n")


def error_name(error):
    inner = error.args[0] if isinstance(error, KafkaException) else error
    return inner.name()


def heard(history):
    """What a client reports beside its calls; only what ends it is of interest."""

    def on_error(error):
        if error.fatal():
            history.note("fatal", error=error.str())

    return on_error


def produce(history, bootstrap, seconds_left, *topics):
    options = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 5,
        "request.timeout.ms": 5000,
        "message.timeout.ms": int(seconds_left) * 1000,
        "compression.type": random.choice(["none", "lz4", "zstd"]),
        "error_cb": heard(history),
    }
    producer = Producer(COMMON | options)
    partitions = [(topic, partition) for topic, count in topics for partition in range(count)]
    sent = dict.fromkeys(partitions, 0)
    waiting = dict.fromkeys(partitions, 0)

    def noted(where, number, began):
        def on_delivery(error, message):
            waiting[where] -= 1
            facts = {"topic": where[0], "partition": where[1], "number": number, "began": began}
            if error is None:
                # A retry that was there already has no offset.
                offset = -1 if message.offset() is None else message.offset()
                history.note("send", offset=offset, **facts)
            else:
                history.note("send", error=error.name(), **facts)

        return on_delivery

    while not stopping.is_set():
        for where in partitions:
            if waiting[where] < IN_FLIGHT:
                number = sent[where]
                sent[where] += 1
                waiting[where] += 1
                value = f"{history.by}:{number}:{PADDING}"
                producer.produce(where[0], value, partition=where[1], on_delivery=noted(where, number, now()))
        # It serves callbacks until the time is over, so it is the pace as well.
        until = time.monotonic() + TICK_S
        while (left := until - time.monotonic()) > 0:
            producer.poll(left)
    left = producer.flush(int(seconds_left))
    history.note("stopped", unanswered=left, sent={f"{topic}-{p}": count for (topic, p), count in sent.items()})


class Member:
    """One life of a member of a group."""

    def __init__(self, history, bootstrap, group, topics):
        self.history = history
        self.group = group
        self.positions = {}
        self.committed_at = 0.0
        options = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
            "partition.assignment.strategy": "range",
            "error_cb": heard(history),
        }
        self.consumer = Consumer(COMMON | options)
        self.consumer.subscribe([topic for topic, _ in topics], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)

    def assigned(self, consumer, partitions):
        began = now()
        # Without knowing where to go on nothing can be said about what is read, so it asks until it is told.
        while True:
            try:
                found = consumer.committed(partitions, timeout=5)
                break
            except KafkaException as error:
                self.history.note("asked", group=self.group, error=error_name(error))
                if stopping.is_set():
                    return
                began = now()
        failed = [one for one in found if one.error is not None]
        for one in found:
            if one.error is not None:
                self.history.note("asked", group=self.group, error=one.error.name())
                continue
            offset = one.offset if one.offset >= 0 else None
            self.history.note("committed", began=began, group=self.group, topic=one.topic, partition=one.partition, offset=offset)
            one.offset = max(one.offset, 0)
            self.history.note("assigned", topic=one.topic, partition=one.partition, offset=one.offset)
        consumer.assign([one for one in found if one not in failed])

    def revoked(self, _, partitions):
        self.commit()
        self.lost(_, partitions)

    def lost(self, _, partitions):
        for one in partitions:
            self.positions.pop((one.topic, one.partition), None)

    def commit(self):
        if not self.positions:
            return
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in self.positions.items()]
        began, failure = now(), None
        try:
            found = self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            found, failure = offsets, error_name(error)
        for one in found:
            said = failure or (one.error.name() if one.error else None)
            facts = {"topic": one.topic, "partition": one.partition, "offset": one.offset}
            self.history.note("commit", began=began, group=self.group, error=said, **facts)

    def poll(self):
        messages = self.consumer.consume(200, 0.1)
        for (topic, partition), records in by_partition(messages).items():
            self.history.note("poll", topic=topic, partition=partition, records=records)
            self.positions[topic, partition] = records[-1][0] + 1
        if time.monotonic() - self.committed_at > COMMIT_EVERY_S:
            self.committed_at = time.monotonic()
            self.commit()


def by_partition(messages):
    """[offset, value without padding] of what is a record."""
    found = {}
    for message in messages:
        if message.error() is None:
            value = message.value().decode(errors="replace").rsplit(":", 1)[0]
            found.setdefault((message.topic(), message.partition()), []).append([message.offset(), value])
    return found


def consume(history, bootstrap, group, *topics):
    by, life = history.by, 0
    while not stopping.is_set():
        life += 1
        history.by = f"{by}.{life}"
        member = Member(history, bootstrap, group, topics)
        until = time.monotonic() + random.uniform(*MEMBER_S)
        while not stopping.is_set() and time.monotonic() < until:
            member.poll()
        member.consumer.close()


def all_partitions(topics, offset):
    return [TopicPartition(topic, partition, offset) for topic, count in topics for partition in range(count)]


def begin(history, bootstrap, topics):
    options = {"bootstrap.servers": bootstrap, "group.id": history.by, "enable.auto.commit": False, "auto.offset.reset": "error"}
    consumer = Consumer(COMMON | options | {"enable.partition.eof": True, "error_cb": heard(history)})
    partitions = all_partitions(topics, OFFSET_BEGINNING)
    for one in partitions:
        history.note("assigned", topic=one.topic, partition=one.partition, offset=0)
    consumer.assign(partitions)
    return consumer


def follow(history, bootstrap, *topics):
    consumer = begin(history, bootstrap, topics)
    asking = threading.Thread(target=ask_for_ends, args=(history, consumer, topics))
    asking.start()
    while not stopping.is_set():
        for (topic, partition), records in by_partition(consumer.consume(200, 0.1)).items():
            history.note("poll", topic=topic, partition=partition, records=records)
    asking.join()
    consumer.close()


def ask_for_ends(history, consumer, topics):
    while not stopping.is_set():
        for one in all_partitions(topics, 0):
            began = now()
            try:
                _, end = consumer.get_watermark_offsets(one, timeout=2)
            except KafkaException:
                continue
            history.note("end", began=began, topic=one.topic, partition=one.partition, offset=end)
        stopping.wait(0.2)


def read(history, bootstrap, *topics):
    consumer = begin(history, bootstrap, topics)
    left = {(one.topic, one.partition) for one in all_partitions(topics, 0)}
    deadline = time.monotonic() + READ_LIMIT_S
    while left and time.monotonic() < deadline and not stopping.is_set():
        messages = consumer.consume(2000, 0.2)
        for (topic, partition), records in by_partition(messages).items():
            history.note("poll", topic=topic, partition=partition, records=records)
        for message in messages:
            if message.error() is not None and message.error().code() == KafkaError._PARTITION_EOF:
                left.discard((message.topic(), message.partition()))
                history.note("read", topic=message.topic(), partition=message.partition(), offset=message.offset())
    consumer.close()


def main(role, by, file, bootstrap, *rest):
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    topics = [(name, int(count)) for name, count in (it.split("=") for it in rest if "=" in it)]
    options = [it for it in rest if "=" not in it]
    roles = {"produce": produce, "consume": consume, "follow": follow, "read": read}
    roles[role](History(by, file), bootstrap, *options, *topics)


if __name__ == "__main__":
    main(*sys.argv[1:])
