"""Numbered records at an even pace through librdkafka with its own settings, and when each was acknowledged.

steady.py write BOOTSTRAP TOPIC PARTITIONS FILE [KEY=VALUE…]       one record to each partition every 10 ms
steady.py newcomers BOOTSTRAP TOPIC PARTITIONS FILE [KEY=VALUE…]   says `ready` in FILE; after a line of input: a new producer
                                                                  every 250 ms, with one record for each partition, until
                                                                  each has got one

Both go on until their input ends. FILE gets lines `PARTITION NUMBER NANOSECONDS` by the monotonic clock for what was
acknowledged, `PARTITION NUMBER failed ERROR` for what was not. Record i of a partition has the value i. clients/java/Steady.java
is the same for Java.
"""

import os
import sys
import threading
import time

from confluent_kafka import Producer

PACE_S = 0.01
NEWCOMER_EVERY_S = 0.25
# Beyond the time after which a producer gives a record up by itself (message.timeout.ms).
LIMIT_S = 330


class Notes:
    def __init__(self, file):
        self.out = open(file, "w", buffering=1)
        self.heard = set()

    def of(self, partition, number):
        def note(error, _message):
            at = time.monotonic_ns()
            if error is None:
                self.heard.add(partition)
            print(partition, number, at if error is None else f"failed {error.name()}", file=self.out)

        return note


def producer_of(bootstrap, options):
    return Producer({"bootstrap.servers": bootstrap, **dict(option.split("=", 1) for option in options)})


def end_of_input():
    ended = threading.Event()

    def wait():
        while sys.stdin.buffer.readline():
            pass
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    return ended


def write(bootstrap, topic, partitions, file, *options):
    producer, notes, ended = producer_of(bootstrap, options), Notes(file), end_of_input()
    number, due = 0, time.monotonic()
    while not ended.is_set():
        for partition in range(int(partitions)):
            producer.produce(topic, str(number), partition=partition, on_delivery=notes.of(partition, number))
        number += 1
        due += PACE_S
        producer.poll(0)
        while (left := due - time.monotonic()) > 0:
            producer.poll(left)
    unanswered = producer.flush(LIMIT_S)
    notes.out.close()
    sys.exit(f"{unanswered} records without an answer" if unanswered else 0)


def newcomers(bootstrap, topic, partitions, file, *options):
    # What a first producer takes to load is no broker's time.
    producer_of(bootstrap, options).poll(0)
    notes, started = Notes(file), []
    print("ready", file=notes.out)
    sys.stdin.buffer.readline()
    ended, due = end_of_input(), time.monotonic()
    while not ended.is_set():
        if time.monotonic() >= due and len(notes.heard) < int(partitions):
            due += NEWCOMER_EVERY_S
            producer = producer_of(bootstrap, options)
            for partition in range(int(partitions)):
                producer.produce(topic, str(len(started)), partition=partition, on_delivery=notes.of(partition, len(started)))
            started.append(producer)
        for producer in started:
            producer.poll(0)
        time.sleep(0.001)
    notes.out.close()
    # Those that still wait for somebody who hangs would hold the end up.
    os._exit(0)


if __name__ == "__main__":
    {"write": write, "newcomers": newcomers}[sys.argv[1]](*sys.argv[2:])
