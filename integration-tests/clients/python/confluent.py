"""Real work through librdkafka (confluent-kafka)."""

import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions, ConsumerGroupState
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import ACKS, BASE, CODECS, LIMIT, check, compare, eventually, main, record, same


def admin_client(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap})


def create(bootstrap, topic, partitions, **configs):
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=configs)
    # The client is kept in a variable: without one it is gone before the answer comes.
    client = admin_client(bootstrap)
    client.create_topics([new])[topic].result(LIMIT)
    # A KRaft broker leads the partitions a little after the controller has answered; what is sent with acks=0 before
    # that is lost.
    eventually("topic is there", lambda: leads(client, topic, partitions))


def leads(client, topic, partitions):
    asked = client.list_offsets({TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)})
    return all(answer.exception(LIMIT) is None for answer in asked.values())


def produce(bootstrap, topic, numbers, partitions, **options):
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, **options})
    errors = []

    def delivered(error, _message):
        if error is not None:
            errors.append(error)

    for i in numbers:
        key, value, headers, timestamp = record(i)
        producer.produce(topic, value, key, i % partitions, on_delivery=delivered, timestamp=timestamp, headers=headers)
    same(producer.flush(LIMIT), 0, "records still in the queue")
    same(errors, [], "delivery errors")


# What a broker says that is about to coordinate a group. It is said of no group in particular, so libraries do not ask again.
NOT_YET = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


def answer_of(ask):
    """What `ask` gives once the coordinator is there."""
    answers = []

    def is_there():
        try:
            answers.append(ask())
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET:
                raise
        return answers

    eventually("the coordinator answers", is_there)
    return answers[0]


def consumer_of(bootstrap, group, **options):
    settings = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    return Consumer(settings | options)


def fields(message):
    same(message.error(), None, "error of a message")
    return (
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or [],
        message.timestamp()[1],
    )


def take(consumer, count):
    """The next count records of a consumer."""
    found = consumer.consume(count, LIMIT)
    return [fields(message) for message in found]


def read(bootstrap, topic, count, partitions):
    consumer = consumer_of(bootstrap, f"{topic}-reader", **{"enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    try:
        return take(consumer, count)
    finally:
        consumer.close()


def expect_error(code, run):
    try:
        run()
    except KafkaException as error:
        same(error.args[0].code(), code, "error code")
        return error.args[0].str()
    raise AssertionError(f"no error where {code} was expected")


def codecs(bootstrap, prefix):
    for codec in CODECS:
        for acks in ACKS:
            with check(f"codec/{codec}/acks={acks}"):
                topic = f"{prefix}-{codec}-{acks}"
                create(bootstrap, topic, 2)
                produce(bootstrap, topic, range(60), 2, **{"compression.type": codec, "acks": acks})
                compare(read(bootstrap, topic, 60, 2), 60, 2)


def idempotent(bootstrap, prefix):
    with check("idempotent"):
        topic = f"{prefix}-idempotent"
        create(bootstrap, topic, 3)
        produce(bootstrap, topic, range(1000), 3, **{"enable.idempotence": True, "linger.ms": 1})
        compare(read(bootstrap, topic, 1000, 3), 1000, 3)


def begin(producer):
    """Kafka creates its transaction topic for the first producer: one call may end before that, and the next one goes on."""
    deadline = time.monotonic() + 4 * LIMIT
    while True:
        try:
            return producer.init_transactions(LIMIT)
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise


def transactional(bootstrap, prefix):
    """Transactions work, or it is said at once that they never will: a client that is left to try again hangs."""
    with check("transactional"):
        producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{prefix}-transactional"})
        try:
            begin(producer)
        except KafkaException as refused:
            error = refused.args[0]
            same((error.code(), error.fatal()), (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, True), error.str())


def edges(bootstrap, prefix):
    topic = f"{prefix}-edges"
    create(bootstrap, topic, 1)
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 2_000_000})
    sent = [
        (None, None, []),
        (b"", b"", [("", b""), ("nothing", None)]),
        ("schlüssel".encode(), b"\x00", [("twice", b"1"), ("twice", b"2")]),
        (b"big", b"y" * 900_000, []),
    ]
    with check("edges/absent-and-empty"):
        for key, value, headers in sent:
            producer.produce(topic, value, key, 0, headers=headers)
        same(producer.flush(LIMIT), 0, "records still in the queue")
        found = [(r[2], r[3], r[4]) for r in read(bootstrap, topic, len(sent), 1)]
        same(found, sent)
    with check("edges/too-large"):
        small = f"{prefix}-small"
        create(bootstrap, small, 1, **{"max.message.bytes": "10000"})
        errors = []
        producer.produce(small, b"z" * 50_000, on_delivery=lambda error, _: errors.append(error))
        producer.flush(LIMIT)
        same([error.code() for error in errors], [KafkaError.MSG_SIZE_TOO_LARGE])


class Member:
    """A consumer that polls in a thread of its own."""

    def __init__(self, bootstrap, group, topic, **options):
        self.consumer = consumer_of(bootstrap, group, **options)
        self.topic = topic
        self.owned = set()
        self.revoked = []
        self.assignments = 0
        self.seen = set()
        self.fatal = None
        self.stopping = threading.Event()
        self.cooperative = "cooperative" in options.get("partition.assignment.strategy", "")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        self.consumer.subscribe([self.topic], on_assign=self.assigned, on_revoke=self.lost, on_lost=self.lost)
        while not self.stopping.is_set():
            message = self.consumer.poll(0.1)
            if message is None:
                continue
            if message.error() is None:
                self.seen.add((message.partition(), message.offset()))
            elif message.error().code() == KafkaError._FATAL:
                self.fatal = message.error().str()
                break
        self.consumer.close()

    def assigned(self, _consumer, partitions):
        self.assignments += 1
        self.owned |= {p.partition for p in partitions}

    def lost(self, _consumer, partitions):
        self.revoked.append({p.partition for p in partitions})
        self.owned -= {p.partition for p in partitions}

    def stop(self):
        self.stopping.set()
        self.thread.join(LIMIT)
        same(self.thread.is_alive(), False, "thread of a stopped member alive")


def shared_evenly(one, other):
    return lambda: len(one.owned) == 2 and len(other.owned) == 2 and not one.owned & other.owned


def rebalance(bootstrap, prefix, name, **options):
    topic = f"{prefix}-topic"
    create(bootstrap, topic, 4)
    produce(bootstrap, topic, range(40), 4)
    group = f"{prefix}-group"
    first = Member(bootstrap, group, topic, **options)
    with check(f"{name}/alone"):
        eventually("one member owns all", lambda: first.owned == {0, 1, 2, 3})
        # Seen before the second one comes: a record polled but not yet committed may be seen by both.
        eventually("first records", lambda: len(first.seen) == 40)
    second = Member(bootstrap, group, topic, **options)
    with check(f"{name}/shared"):
        eventually(lambda: f"{first.owned} and {second.owned}", shared_evenly(first, second))
    with check(f"{name}/all-records"):
        produce(bootstrap, topic, range(40, 80), 4)
        everything = {(p, offset) for p in range(4) for offset in range(20)}
        eventually("all records seen", lambda: first.seen | second.seen == everything)
    if first.cooperative:
        with check(f"{name}/only-what-moves"):
            same([len(revoked) for revoked in first.revoked if revoked], [2], "partitions revoked at a time")
    second.stop()
    with check(f"{name}/takeover"):
        eventually("the one that stayed owns all", lambda: first.owned == {0, 1, 2, 3})
    first.stop()


def group(bootstrap, prefix):
    rebalance(bootstrap, prefix, "group", **{"partition.assignment.strategy": "range"})


def group_cooperative(bootstrap, prefix):
    rebalance(bootstrap, prefix, "group-cooperative", **{"partition.assignment.strategy": "cooperative-sticky"})


def group_static(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    create(bootstrap, topic, 4)

    def member(instance):
        return Member(bootstrap, group_id, topic, **{"group.instance.id": instance, "session.timeout.ms": 45_000})

    one, other = member("one"), member("other")
    eventually("both own two", shared_evenly(one, other))
    with check("group-static/returns"):
        before, rebalances = set(other.owned), one.assignments
        other.stop()
        other = member("other")
        eventually("the returned member owns the same", lambda: other.owned == before)
        same(one.assignments, rebalances, "rebalances that the other member saw")
    with check("group-static/fenced"):
        usurper = member("other")
        eventually("the older member is fenced", lambda: other.fatal is not None)
        same("fenced by other consumer" in other.fatal, True, other.fatal)
        eventually("the newer one owns its partitions", lambda: usurper.owned == before)
        usurper.stop()
    one.stop()


def commit_resume(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    manual = {"enable.auto.commit": False}
    with check("commit-resume/commit"):
        consumer = consumer_of(bootstrap, group_id, **manual)
        consumer.subscribe([topic])
        take(consumer, 50)
        at = TopicPartition(topic, 0, 50, metadata="halfway")
        same(consumer.commit(offsets=[at], asynchronous=False)[0].error, None)
        consumer.close()
    with check("commit-resume/resume"):
        consumer = consumer_of(bootstrap, group_id, **manual)
        committed = consumer.committed([TopicPartition(topic, 0)], LIMIT)[0]
        same((committed.offset, committed.metadata), (50, "halfway"))
        consumer.subscribe([topic])
        same([r[1] for r in take(consumer, 50)], list(range(50, 100)), "offsets")
        consumer.close()


def by_time(bootstrap, prefix):
    topic = f"{prefix}-topic"
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    consumer = consumer_of(bootstrap, f"{prefix}-group")

    def lookup(timestamp):
        return consumer.offsets_for_times([TopicPartition(topic, 0, timestamp)], LIMIT)[0].offset

    with check("by-time/between"):
        same(lookup(BASE + 30_500), 31)
        same(lookup(BASE + 30_000), 30)
    with check("by-time/before-first"):
        same(lookup(1), 0)
    with check("by-time/after-last"):
        same(lookup(BASE + 99_001), -1)
    consumer.close()


def admin(bootstrap, prefix):
    topic = f"{prefix}-topic"
    client = admin_client(bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def configs():
        return client.describe_configs([resource])[resource].result(LIMIT)

    def create_again(name, partitions=1, **settings):
        return lambda: create(bootstrap, name, partitions, **settings)

    with check("admin/create"):
        create(bootstrap, topic, 3, **{"retention.ms": "123456"})
        described = client.describe_topics(TopicCollection([topic]))[topic].result(LIMIT)
        same([(p.id, len(p.isr)) for p in described.partitions], [(0, 1), (1, 1), (2, 1)])
        same(topic in client.list_topics(timeout=LIMIT).topics, True, "listed")
    with check("admin/refused"):
        expect_error(KafkaError.TOPIC_ALREADY_EXISTS, create_again(topic))
        expect_error(KafkaError.TOPIC_EXCEPTION, create_again(f"{prefix} with spaces"))
        expect_error(KafkaError.INVALID_PARTITIONS, create_again(f"{prefix}-none", 0))
        expect_error(KafkaError.POLICY_VIOLATION, create_again(f"{prefix}-many", 10_001))
        expect_error(KafkaError.INVALID_CONFIG, create_again(f"{prefix}-bad", 1, **{"retention.ms": "soon"}))
    with check("admin/configs"):
        same(configs()["retention.ms"].value, "123456")
        same(configs()["retention.ms"].source, ConfigSource.DYNAMIC_TOPIC_CONFIG.value)
        same(configs()["cleanup.policy"].source, ConfigSource.DEFAULT_CONFIG.value)
        changes = [
            ConfigEntry("max.message.bytes", "54321", incremental_operation=AlterConfigOpType.SET),
            ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ]
        change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)
        client.incremental_alter_configs([change])[change].result(LIMIT)
        eventually("the change shows", lambda: configs()["max.message.bytes"].value == "54321")
        same(configs()["retention.ms"].value, "604800000")
    with check("admin/partitions"):
        client.create_partitions([NewPartitions(topic, 5)])[topic].result(LIMIT)
        eventually("five", lambda: len(client.list_topics(topic, LIMIT).topics[topic].partitions) == 5)
        fewer = client.create_partitions([NewPartitions(topic, 2)])[topic]
        expect_error(KafkaError.INVALID_PARTITIONS, lambda: fewer.result(LIMIT))
    with check("admin/delete"):
        client.delete_topics([topic])[topic].result(LIMIT)
        eventually("gone", lambda: topic not in client.list_topics(timeout=LIMIT).topics)
        again = client.delete_topics([topic])[topic]
        expect_error(KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: again.result(LIMIT))
    with check("admin/cluster"):
        cluster = client.describe_cluster().result(LIMIT)
        same([f"{node.host}:{node.port}" for node in cluster.nodes], [bootstrap])
        same(bool(cluster.cluster_id), True, "a cluster id")


def offsets(bootstrap, prefix):
    topic = f"{prefix}-topic"
    client = admin_client(bootstrap)
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    partition = TopicPartition(topic, 0)

    def offset(spec):
        return client.list_offsets({partition: spec})[partition].result(LIMIT).offset

    with check("offsets/latest"):
        same((offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())), (0, 100))
    with check("offsets/max-timestamp"):
        same(offset(OffsetSpec.max_timestamp()), 99)
    with check("offsets/delete-records"):
        at = TopicPartition(topic, 0, 40)
        same(client.delete_records([at])[at].result(LIMIT).low_watermark, 40)
        same(offset(OffsetSpec.earliest()), 40)
        beyond = TopicPartition(topic, 0, 1000)
        expect_error(KafkaError.OFFSET_OUT_OF_RANGE, lambda: client.delete_records([beyond])[beyond].result(LIMIT))
    with check("offsets/reset-to-earliest"):
        consumer = consumer_of(bootstrap, f"{prefix}-group")
        consumer.subscribe([topic])
        same(take(consumer, 60)[0][1], 40)
        consumer.close()


def groups_admin(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    client = admin_client(bootstrap)
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(10), 1)

    def describe():
        return answer_of(lambda: client.describe_consumer_groups([group_id])[group_id].result(LIMIT))

    def list_groups():
        listed = client.list_consumer_groups().result(LIMIT)
        for error in listed.errors:
            # The library hands out some errors that Python cannot raise.
            raise error if isinstance(error, KafkaException) else KafkaException(error)
        return [g.group_id for g in listed.valid]

    member = Member(bootstrap, group_id, topic, **{"partition.assignment.strategy": "range"})
    with check("groups-admin/stable"):
        eventually("stable", lambda: describe().state == ConsumerGroupState.STABLE)
        described = describe()
        same((described.partition_assignor, len(described.members)), ("range", 1))
        owned = described.members[0].assignment.topic_partitions
        same([(p.topic, p.partition) for p in owned], [(topic, 0)])
        same(group_id in answer_of(list_groups), True, "listed")
    with check("groups-admin/not-empty"):
        doomed = client.delete_consumer_groups([group_id])[group_id]
        expect_error(KafkaError.NON_EMPTY_GROUP, lambda: doomed.result(LIMIT))
    eventually("all seen", lambda: len(member.seen) == 10)
    member.stop()
    with check("groups-admin/offsets"):
        eventually("empty", lambda: describe().state == ConsumerGroupState.EMPTY)
        at = ConsumerGroupTopicPartitions(group_id, [TopicPartition(topic, 0, 3)])
        client.alter_consumer_group_offsets([at])[group_id].result(LIMIT)
        asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group_id)])
        same([(p.partition, p.offset) for p in asked[group_id].result(LIMIT).topic_partitions], [(0, 3)])
    with check("groups-admin/delete"):
        client.delete_consumer_groups([group_id])[group_id].result(LIMIT)
        same(group_id in answer_of(list_groups), False, "still listed")
        again = client.delete_consumer_groups([group_id])[group_id]
        expect_error(KafkaError.GROUP_ID_NOT_FOUND, lambda: again.result(LIMIT))


if __name__ == "__main__":
    main(
        {
            "codecs": codecs,
            "idempotent": idempotent,
            "transactional": transactional,
            "edges": edges,
            "group": group,
            "group-cooperative": group_cooperative,
            "group-static": group_static,
            "commit-resume": commit_resume,
            "by-time": by_time,
            "admin": admin,
            "offsets": offsets,
            "groups-admin": groups_admin,
        }
    )
