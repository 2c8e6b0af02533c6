"""Numbered records through librdkafka's idempotent producer with acks=all, and whether all of them are there afterwards.

numbered.py produce BOOTSTRAP TOPIC PARTITIONS FILE   until SIGTERM; FILE gets what was acknowledged
numbered.py check BOOTSTRAP TOPIC FILE                reads the topic, and names what is lost, there twice, or out of order

Record i of a partition has the value i. Meanwhile lines say how many each partition has at least; at the end, for how long
each has had nothing acknowledged. Ends with 1 where a record failed or is not where it belongs.
"""

import json
import signal
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

# Records that one partition may have on their way: enough for batches, few enough to see a gap at once.
IN_FLIGHT = 100
# For what is left when the end is asked for, and for a partition that has no leader at the moment.
LIMIT_S = 120
SHOWN = 10
SHOWN_EVERY_S = 0.1


class Written:
    """What the broker has said about the records of one partition."""

    def __init__(self, began):
        self.next = 0
        self.in_flight = 0
        self.acknowledged = {}
        self.failed = []
        self.last = began
        self.gap = (0.0, 0.0)

    def note(self, number, error, offset, began):
        self.in_flight -= 1
        if error is not None:
            self.failed.append((number, error.name()))
            return
        now = time.monotonic()
        self.gap = max(self.gap, (now - self.last, self.last - began))
        self.last = now
        self.acknowledged[number] = offset


def produce(bootstrap, topic, partitions, file):
    fatal = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 2,
            "message.timeout.ms": LIMIT_S * 1000,
            # A leader that hangs says nothing, so who leads now has to be asked for: the gaps shall be the brokers'.
            "topic.metadata.refresh.interval.ms": 500,
            "error_cb": lambda error: fatal.append(error.str()) if error.fatal() else None,
        }
    )
    asked_to_end = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.append(True))
    began = time.monotonic()
    written = [Written(began) for _ in range(int(partitions))]

    def noted(partition, number):
        return lambda error, message: written[partition].note(number, error, message.offset(), began)

    shown = began
    while not asked_to_end and not fatal:
        if time.monotonic() - shown > SHOWN_EVERY_S:
            shown = time.monotonic()
            print(f"at least {min(len(state.acknowledged) for state in written)}", flush=True)
        for partition, state in enumerate(written):
            if state.in_flight < IN_FLIGHT:
                value = str(state.next)
                producer.produce(topic, value, partition=partition, on_delivery=noted(partition, state.next))
                state.next += 1
                state.in_flight += 1
        producer.poll(0.001)
    left = producer.flush(LIMIT_S)
    with open(file, "w") as out:
        json.dump([{"next": state.next, "acknowledged": state.acknowledged} for state in written], out)
    failed = [(p, *one) for p, state in enumerate(written) for one in state.failed]
    for partition, state in enumerate(written):
        gap, at = state.gap
        print(
            f"partition {partition}: {len(state.acknowledged)} acknowledged, {len(state.failed)} failed, "
            f"longest gap {gap * 1000:.0f} ms, {at:.1f} s after the start"
        )
    if failed or left or fatal:
        print(f"FAIL {len(failed)} failed, as {failed[:SHOWN]}; {left} without an answer; fatal errors {fatal}")
        sys.exit(1)


def read(bootstrap, topic, partition):
    """(number, offset) of all records that are there now."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "numbered", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found, deadline = [], time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            found.append((int(message.value()), message.offset()))
        elif error.code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return found
    raise TimeoutError(f"the end of {topic}-{partition} was not reached; {len(found)} records before it")


def wrong(state, found):
    acknowledged = {int(number): offset for number, offset in state["acknowledged"].items()}
    seen, twice, out_of_order, highest = {}, [], [], -1
    for number, offset in found:
        if number in seen:
            twice.append((number, seen[number], offset))
            continue
        seen[number] = offset
        if number < highest:
            out_of_order.append((number, highest, offset))
        highest = max(highest, number)
    return {
        "lost": sorted(set(acknowledged) - set(seen)),
        "twice": twice,
        "out of order": out_of_order,
        # An idempotent producer is told the offset of a record that a dead leader has written, too; -1 where nobody knows.
        "at another offset": [
            (number, offset, seen[number])
            for number, offset in acknowledged.items()
            if offset is not None and offset >= 0 and number in seen and seen[number] != offset
        ],
    }


def check(bootstrap, topic, file):
    with open(file) as lines:
        states = json.load(lines)
    is_wrong = False
    for partition, state in enumerate(states):
        found = read(bootstrap, topic, partition)
        print(f"partition {partition}: {len(state['acknowledged'])} acknowledged, {len(found)} found")
        for what, numbers in wrong(state, found).items():
            if numbers:
                is_wrong = True
                print(f"FAIL partition {partition}: {len(numbers)} {what}: {numbers[:SHOWN]} … {numbers[-1:]}")
    sys.exit(1 if is_wrong else 0)


if __name__ == "__main__":
    {"produce": produce, "check": check}[sys.argv[1]](*sys.argv[2:])
