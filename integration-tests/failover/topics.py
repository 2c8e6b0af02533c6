"""Topics of a measurement: three replicas, two of which have to be in sync, leaders spread evenly."""

from clients import PARTITIONS
from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from processes import await_that
from systems import BROKERS, bootstrap

LIMIT_S = 60


def create(names):
    admin = AdminClient({"bootstrap.servers": bootstrap()})
    replicas = [[BROKERS[(partition + n) % len(BROKERS)] for n in range(len(BROKERS))] for partition in range(PARTITIONS)]
    new = [NewTopic(name, PARTITIONS, replica_assignment=replicas, config={"min.insync.replicas": "2"}) for name in names]
    for answer in admin.create_topics(new).values():
        answer.result(LIMIT_S)


def delete(names):
    admin = AdminClient({"bootstrap.servers": bootstrap()})
    for answer in admin.delete_topics(names).values():
        answer.result(LIMIT_S)


def lead_evenly(system, names):
    """Every broker leads as many partitions as any other: whoever came back last leads none before this."""
    admin = AdminClient({"bootstrap.servers": bootstrap()})
    parts = [TopicPartition(name, partition) for name in names for partition in range(PARTITIONS)]

    def is_even():
        views = system.views()
        share = PARTITIONS // len(BROKERS)
        return all(view and len(view.led_by(broker, name)) == share for view in views for broker in BROKERS for name in names)

    def elect():
        if is_even():
            return True
        try:
            admin.elect_leaders(ElectionType.PREFERRED, parts).result(LIMIT_S)
        except KafkaException as error:
            # Where a broker has only just registered, its controller may not have heard of it.
            if error.args[0].code() != KafkaError.PREFERRED_LEADER_NOT_AVAILABLE:
                raise
        return is_even()

    await_that("leaders spread evenly", LIMIT_S, elect, 0.5)
