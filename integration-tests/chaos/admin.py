"""What is asked of the brokers beside the load: topics, reassignments meanwhile, and whether all is well again."""

import random
import threading
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from cluster import ADDRESSES, BROKERS, PORT, bootstrap, number_of

# One keeps all its replicas; the other has two or three, ever others, and asks for fsyncs.
TOPICS = {"still": 6, "moving": 6}
CONFIGS = {"still": {"min.insync.replicas": "2"}, "moving": {"min.insync.replicas": "1", "flush.messages": "20"}}
REPLICAS = {"still": 3, "moving": 2}
IDS = [number_of(name) for name in BROKERS]
EVERY_S = (1, 8)
LIMIT_S = 15
PREFERRED = 0


def client(servers=None):
    return AdminClient({"bootstrap.servers": servers or bootstrap(), "socket.timeout.ms": 5000})


def create_topics():
    new = [NewTopic(name, count, REPLICAS[name], config=CONFIGS[name]) for name, count in TOPICS.items()]
    # A client that nobody holds is gone before its answers.
    asking = client()
    for answer in asking.create_topics(new, operation_timeout=30).values():
        answer.result()


def behind(metadata):
    """Partitions without a leader or with a replica that is not in sync."""
    return [
        f"{topic.topic}-{partition.id}: leader {partition.leader}, replicas {partition.replicas}, in sync {partition.isrs}"
        for topic in metadata.topics.values()
        for partition in topic.partitions.values()
        if partition.leader < 0 or sorted(partition.isrs) != sorted(partition.replicas)
    ]


def unwell():
    """Nothing where every broker knows all brokers and all partitions in sync; otherwise what is missing."""
    for name in BROKERS:
        try:
            metadata = client(f"{ADDRESSES[name]}:{PORT}").list_topics(timeout=5)
        except KafkaException as error:
            return [f"{name} does not answer: {error.args[0].str()}"]
        if sorted(metadata.brokers) != IDS:
            return [f"{name} knows the brokers {sorted(metadata.brokers)}"]
        if found := behind(metadata):
            return [f"{name} says {it}" for it in found]
    return []


def await_well(limit_s, meanwhile):
    """Gives what is still missing when the time is over, and how long it took."""
    began = time.monotonic()
    while (missing := unwell()) and time.monotonic() - began < limit_s:
        meanwhile()
        time.sleep(0.5)
    return missing, time.monotonic() - began


class Reassignments(threading.Thread):
    """Moves replicas at random, and now and then asks for the preferred leaders; what is refused is counted only."""

    def __init__(self, seed, say):
        super().__init__(daemon=True)
        self.rng = random.Random(f"reassignments {seed}")
        self.say = say
        self.stopping = threading.Event()
        self.done, self.refused = 0, 0

    def run(self):
        while not self.stopping.wait(self.rng.uniform(*EVERY_S)):
            what = self.prefer if self.rng.random() < 0.2 else self.move
            try:
                what()
                self.done += 1
            # RuntimeError and ValueError are what kafka-python throws where nobody is the controller.
            except (KafkaError, KafkaException, OSError, RuntimeError, ValueError) as error:
                self.refused += 1
                self.say(f"{what.__name__} refused: {type(error).__name__} {str(error)[:150]}")

    def stop(self):
        self.stopping.set()
        self.join()

    def move(self):
        topic = self.rng.choice(["still", "moving", "moving", "moving", "__consumer_offsets"])
        chosen = {}
        for partition in self.rng.sample(range(6), self.rng.randint(1, 3)):
            copies = self.rng.choice([2, 2, 3]) if topic == "moving" else 3
            chosen[partition] = self.rng.sample(IDS, copies)
        self.say(f"reassign {topic} {chosen}")
        with_admin(lambda admin: admin.alter_partition_reassignments(reassignments(topic, chosen)))

    def prefer(self):
        topic = self.rng.choice(list(TOPICS))
        self.say(f"elect preferred leaders of {topic}")
        # Errors mean that all of them lead already.
        with_admin(lambda admin: admin.elect_leaders(PREFERRED, {topic: list(range(TOPICS[topic]))}, raise_errors=False))


def reassignments(topic, chosen):
    from kafka import TopicPartition as Place

    return {Place(topic, partition): replicas for partition, replicas in chosen.items()}


def with_admin(ask):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap().split(","), request_timeout_ms=LIMIT_S * 1000)
    try:
        return ask(admin)
    finally:
        admin.close()


def replicas_of():
    """{partition: [name of the broker, …]}"""
    asking = client()
    topics = asking.list_topics(timeout=LIMIT_S).topics.values()
    return {
        f"{topic.topic}-{number}": [f"broker-{id}" for id in partition.replicas]
        for topic in topics
        for number, partition in topic.partitions.items()
    }
