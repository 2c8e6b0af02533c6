"""Real work through kafka-python, which is Python all the way down."""

import threading

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata
from kafka import TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka import errors

from checks import ACKS, BASE, CODECS, LIMIT, check, compare, eventually, main, record, same


def admin_client(bootstrap):
    return KafkaAdminClient(bootstrap_servers=bootstrap)


def create(bootstrap, topic, partitions, **configs):
    client = admin_client(bootstrap)
    try:
        settings = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
        client.create_topics({topic: settings})
        # A KRaft broker leads the partitions a little after the controller has answered; what is sent with acks=0 before
        # that is lost.
        eventually("topic is there", lambda: leads(client, topic, partitions))
    finally:
        client.close()


def leads(client, topic, partitions):
    wanted = {TopicPartition(topic, p): OffsetSpec.LATEST for p in range(partitions)}
    try:
        return len(client.list_partition_offsets(wanted)) == partitions
    except errors.KafkaError:
        return False


def produce(bootstrap, topic, numbers, partitions, **options):
    producer = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, **options)
    sent = []
    for i in numbers:
        key, value, headers, timestamp = record(i)
        sent.append(producer.send(topic, value, key, headers, i % partitions, timestamp))
    producer.flush(LIMIT)
    for future in sent:
        future.get(LIMIT)
    producer.close()


def consumer_of(bootstrap, group=None, **options):
    return KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", **options)


def fields(r):
    return r.partition, r.offset, r.key, r.value, list(r.headers), r.timestamp


def take(consumer, count):
    """The next count records of a consumer; no more are taken, so that its position stands right behind them."""
    found = []

    def poll():
        for records in consumer.poll(200, max_records=count - len(found)).values():
            found.extend(fields(r) for r in records)
        return len(found) >= count

    eventually(lambda: f"{len(found)} of {count} records", poll)
    return found


def read(bootstrap, topic, count, partitions):
    consumer = consumer_of(bootstrap)
    consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
    try:
        return take(consumer, count)
    finally:
        consumer.close()


def expect_error(kind, run):
    try:
        run()
    except errors.KafkaError as error:
        same(type(error).__name__, kind.__name__, f"error ({error})")
        return
    raise AssertionError(f"no error where {kind.__name__} was expected")


def codecs(bootstrap, prefix):
    for codec in CODECS:
        for acks in ACKS:
            with check(f"codec/{codec}/acks={acks}"):
                topic = f"{prefix}-{codec}-{acks}"
                create(bootstrap, topic, 2)
                compression = None if codec == "none" else codec
                wanted = acks if acks == "all" else int(acks)
                options = {"compression_type": compression, "acks": wanted, "enable_idempotence": False}
                produce(bootstrap, topic, range(60), 2, **options)
                compare(read(bootstrap, topic, 60, 2), 60, 2)


def idempotent(bootstrap, prefix):
    with check("idempotent"):
        topic = f"{prefix}-idempotent"
        create(bootstrap, topic, 3)
        produce(bootstrap, topic, range(1000), 3, enable_idempotence=True)
        compare(read(bootstrap, topic, 1000, 3), 1000, 3)


def edges(bootstrap, prefix):
    topic = f"{prefix}-edges"
    create(bootstrap, topic, 1)
    sent = [
        # This library refuses to send a header without a value.
        (b"", b"", [("", b"")]),
        (b"key", None, []),
        ("schlüssel".encode(), b"\x00", [("twice", b"1"), ("twice", b"2")]),
        (None, b"y" * 900_000, []),
    ]
    with check("edges/absent-and-empty"):
        producer = KafkaProducer(bootstrap_servers=bootstrap)
        for key, value, headers in sent:
            producer.send(topic, value, key, headers, 0).get(LIMIT)
        producer.close()
        found = [(r[2], r[3], r[4]) for r in read(bootstrap, topic, len(sent), 1)]
        same(found, sent)
    with check("edges/too-large"):
        small = f"{prefix}-small"
        create(bootstrap, small, 1, **{"max.message.bytes": "10000"})
        producer = KafkaProducer(bootstrap_servers=bootstrap)
        large = producer.send(small, b"z" * 50_000)
        expect_error(errors.MessageSizeTooLargeError, lambda: large.get(LIMIT))
        producer.close()


def answer_of(ask):
    """What `ask` gives once the coordinator is there: this library does not ask again."""
    answers = []

    def is_there():
        try:
            answers.append(ask())
        except (
            errors.CoordinatorNotAvailableError,
            errors.CoordinatorLoadInProgressError,
            errors.NotCoordinatorError,
        ):
            pass
        return answers

    eventually("the coordinator answers", is_there)
    return answers[0]


class Member(ConsumerRebalanceListener):
    """A consumer that polls in a thread of its own."""

    def __init__(self, bootstrap, group, topic, **options):
        self.consumer = consumer_of(bootstrap, group, **options)
        self.owned = set()
        self.revoked = []
        self.assignments = 0
        self.seen = set()
        self.fenced = False
        self.stopping = threading.Event()
        self.consumer.subscribe([topic], listener=self)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                # A poll that ends within a join which the member itself began, because it learned the topic's partitions
                # only now, forgets that join (3.0.12): no heartbeat follows it. So a poll has to outlast a join.
                for partition, records in self.consumer.poll(2000).items():
                    self.seen |= {(partition.partition, r.offset) for r in records}
        except errors.FencedInstanceIdError:
            self.fenced = True
        self.consumer.close()

    def on_partitions_assigned(self, assigned):
        self.assignments += 1
        self.owned |= {p.partition for p in assigned}

    def on_partitions_revoked(self, revoked):
        self.revoked.append({p.partition for p in revoked})
        self.owned -= {p.partition for p in revoked}

    def on_partitions_lost(self, lost):
        self.owned -= {p.partition for p in lost}

    def stop(self):
        self.stopping.set()
        self.thread.join(LIMIT)
        same(self.thread.is_alive(), False, "thread of a stopped member alive")


def shared_evenly(one, other):
    return lambda: len(one.owned) == 2 and len(other.owned) == 2 and not one.owned & other.owned


def rebalance(bootstrap, prefix, name, assignor):
    topic = f"{prefix}-topic"
    create(bootstrap, topic, 4)
    produce(bootstrap, topic, range(40), 4)
    group_id = f"{prefix}-group"
    options = {"partition_assignment_strategy": [assignor]}
    first = Member(bootstrap, group_id, topic, **options)
    with check(f"{name}/alone"):
        eventually("one member owns all", lambda: first.owned == {0, 1, 2, 3})
        eventually("first records", lambda: len(first.seen) == 40)
    second = Member(bootstrap, group_id, topic, **options)
    with check(f"{name}/shared"):
        eventually(lambda: f"{first.owned} and {second.owned}", shared_evenly(first, second))
    with check(f"{name}/all-records"):
        produce(bootstrap, topic, range(40, 80), 4)
        everything = {(p, offset) for p in range(4) for offset in range(20)}
        eventually("all records seen", lambda: first.seen | second.seen == everything)
    if assignor is CooperativeStickyAssignor:
        with check(f"{name}/only-what-moves"):
            same([len(revoked) for revoked in first.revoked if revoked], [2], "partitions revoked at a time")
    second.stop()
    with check(f"{name}/takeover"):
        eventually("the one that stayed owns all", lambda: first.owned == {0, 1, 2, 3})
    first.stop()


def group(bootstrap, prefix):
    rebalance(bootstrap, prefix, "group", RangePartitionAssignor)


def group_cooperative(bootstrap, prefix):
    rebalance(bootstrap, prefix, "group-cooperative", CooperativeStickyAssignor)


def group_static(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    create(bootstrap, topic, 4)
    one = Member(bootstrap, group_id, topic, group_instance_id="one")
    # A second member before this one knows the partitions would make it wait in the join that a poll must outlast.
    eventually("the first owns all", lambda: one.owned == {0, 1, 2, 3})
    leaving = Member(bootstrap, group_id, topic, group_instance_id="other")
    eventually("both own two", shared_evenly(one, leaving))
    before, rebalances = set(leaving.owned), one.assignments
    leaving.stop()
    returned = Member(bootstrap, group_id, topic, group_instance_id="other")
    with check("group-static/returns"):
        eventually("the returned member owns the same", lambda: returned.owned == before)
        same(one.assignments, rebalances, "rebalances that the other member saw")
    usurper = Member(bootstrap, group_id, topic, group_instance_id="other")
    with check("group-static/fenced"):
        eventually("the older member is fenced", lambda: returned.fenced)
        eventually("the newer one owns its partitions", lambda: usurper.owned == before)
    usurper.stop()
    one.stop()


def commit_resume(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    partition = TopicPartition(topic, 0)

    def consumer():
        subscribed = consumer_of(bootstrap, group_id, enable_auto_commit=False)
        subscribed.subscribe([topic])
        return subscribed

    with check("commit-resume/commit"):
        first = consumer()
        take(first, 50)
        first.commit({partition: OffsetAndMetadata(50, "halfway", -1)})
        first.close()
    with check("commit-resume/resume"):
        second = consumer()
        committed = second.committed(partition, metadata=True)
        same((committed.offset, committed.metadata), (50, "halfway"))
        same([r[1] for r in take(second, 50)], list(range(50, 100)), "offsets")
        second.close()


def by_time(bootstrap, prefix):
    topic = f"{prefix}-topic"
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    consumer = consumer_of(bootstrap)
    partition = TopicPartition(topic, 0)

    def lookup(timestamp):
        found = consumer.offsets_for_times({partition: timestamp})[partition]
        return found and (found.offset, found.timestamp)

    with check("by-time/between"):
        same(lookup(BASE + 30_500), (31, BASE + 31_000))
        same(lookup(BASE + 30_000), (30, BASE + 30_000))
    with check("by-time/before-first"):
        same(lookup(1), (0, BASE))
    with check("by-time/after-last"):
        same(lookup(BASE + 99_001), None)
    consumer.close()


def admin(bootstrap, prefix):
    topic = f"{prefix}-topic"
    client = admin_client(bootstrap)

    def config(key):
        resource = ConfigResource("topic", topic, [key])
        return client.describe_configs([resource], config_filter="all")["topic"][topic][key]

    with check("admin/create"):
        create(bootstrap, topic, 3, **{"retention.ms": "123456"})
        partitions = client.describe_topics([topic])[0]["partitions"]
        same([len(p["isr_nodes"]) for p in partitions], [1, 1, 1], "isr")
        same(topic in client.list_topics(), True, "listed")
    with check("admin/refused"):
        bad = {"retention.ms": "soon"}
        expect_error(errors.TopicAlreadyExistsError, lambda: create(bootstrap, topic, 1))
        expect_error(errors.InvalidTopicError, lambda: create(bootstrap, f"{prefix} with spaces", 1))
        expect_error(errors.InvalidPartitionsError, lambda: create(bootstrap, f"{prefix}-none", 0))
        expect_error(errors.InvalidConfigurationError, lambda: create(bootstrap, f"{prefix}-bad", 1, **bad))
    with check("admin/configs"):
        same(config("retention.ms")["value"], "123456")
        changes = {"max.message.bytes": ("SET", "54321"), "retention.ms": ("DELETE", None)}
        client.alter_configs([ConfigResource("topic", topic, changes)])
        eventually("the change shows", lambda: config("max.message.bytes")["value"] == "54321")
        same(config("retention.ms")["value"], "604800000")
    with check("admin/partitions"):
        client.create_partitions({topic: 5})
        eventually("five", lambda: len(client.describe_topics([topic])[0]["partitions"]) == 5)
        expect_error(errors.InvalidPartitionsError, lambda: client.create_partitions({topic: 2}))
    with check("admin/delete"):
        client.delete_topics([topic])
        eventually("gone", lambda: topic not in client.list_topics())
        expect_error(errors.UnknownTopicOrPartitionError, lambda: client.delete_topics([topic]))
    with check("admin/cluster"):
        cluster = client.describe_cluster()
        same([f"{b['host']}:{b['port']}" for b in cluster["brokers"]], [bootstrap])
    client.close()


def offsets(bootstrap, prefix):
    topic = f"{prefix}-topic"
    client = admin_client(bootstrap)
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(100), 1)
    partition = TopicPartition(topic, 0)

    def offset(spec):
        return client.list_partition_offsets({partition: spec})[partition].offset

    with check("offsets/latest"):
        same((offset(OffsetSpec.EARLIEST), offset(OffsetSpec.LATEST)), (0, 100))
    with check("offsets/max-timestamp"):
        same(offset(OffsetSpec.MAX_TIMESTAMP), 99)
    with check("offsets/delete-records"):
        same(client.delete_records({partition: 40})[partition]["low_watermark"], 40)
        same(offset(OffsetSpec.EARLIEST), 40)
        expect_error(errors.OffsetOutOfRangeError, lambda: client.delete_records({partition: 1000}))
    with check("offsets/reset-to-earliest"):
        same(read(bootstrap, topic, 60, 1)[0][1], 40, "first offset")
    client.close()


def groups_admin(bootstrap, prefix):
    topic, group_id = f"{prefix}-topic", f"{prefix}-group"
    client = admin_client(bootstrap)
    create(bootstrap, topic, 1)
    produce(bootstrap, topic, range(10), 1)

    def describe():
        return answer_of(lambda: client.describe_groups([group_id])[group_id])

    def listed():
        return group_id in [g["group_id"] for g in answer_of(client.list_groups)]

    member = Member(bootstrap, group_id, topic, partition_assignment_strategy=[RangePartitionAssignor])
    with check("groups-admin/stable"):
        eventually("stable", lambda: describe()["group_state"] == "Stable")
        described = describe()
        same((described["protocol_data"], len(described["members"]), listed()), ("range", 1, True))
    with check("groups-admin/not-empty"):
        same(client.delete_groups([group_id])[group_id], "NonEmptyGroupError")
    eventually("all seen", lambda: len(member.seen) == 10)
    member.stop()
    with check("groups-admin/offsets"):
        eventually("empty", lambda: describe()["group_state"] == "Empty")
        partition = TopicPartition(topic, 0)
        client.alter_group_offsets(group_id, {partition: OffsetAndMetadata(3, "", -1)})
        same(client.list_group_offsets({group_id: None})[group_id][partition].offset, 3)
    with check("groups-admin/delete"):
        same(client.delete_groups([group_id])[group_id], "OK")
        same(listed(), False, "still listed")
        same(client.delete_groups([group_id])[group_id], "GroupIdNotFoundError")
    client.close()


if __name__ == "__main__":
    main(
        {
            "codecs": codecs,
            "idempotent": idempotent,
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
