"""Topics that come and go meanwhile, and a history of what was asked and answered."""

import json
import random
import threading
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from admin import LIMIT_S, client

EVERY_S = (2, 10)
# So many are there at most; beyond it one is deleted.
KEPT = 6
BY = "topics"


class Topics(threading.Thread):
    def __init__(self, seed, file, say):
        super().__init__(daemon=True)
        self.rng = random.Random(f"topics {seed}")
        self.file = open(file, "a", buffering=1)
        self.say = say
        self.stopping = threading.Event()
        self.names = []
        self.made = 0

    def run(self):
        while not self.stopping.wait(self.rng.uniform(*EVERY_S)):
            if len(self.names) < KEPT and self.rng.random() < 0.6:
                self.made += 1
                name = f"made-{self.made}"
                self.names.append(name)
                new = NewTopic(name, self.rng.randint(1, 4), self.rng.randint(1, 3))
                self.ask("create", name, lambda admin: admin.create_topics([new], request_timeout=LIMIT_S, operation_timeout=LIMIT_S))
            elif self.names:
                name = self.names.pop(self.rng.randrange(len(self.names)))
                self.ask("delete", name, lambda admin: admin.delete_topics([name], request_timeout=LIMIT_S, operation_timeout=LIMIT_S))

    def ask(self, what, name, call):
        admin, error, began = client(), None, time.monotonic_ns()
        try:
            for answer in call(admin).values():
                answer.result(LIMIT_S + 5)
        except KafkaException as failure:
            error = failure.args[0].name()
        except TimeoutError:
            error = "no answer"
        self.note(what, topic=name, began=began, error=error)
        self.say(f"{what} {name}: {error or 'done'}")

    def note(self, what, **facts):
        line = {"at": time.monotonic_ns(), "by": BY, "what": what, **facts}
        self.file.write(json.dumps(line) + "\n")

    def stop(self):
        self.stopping.set()
        self.join()

    def note_what_is_there(self):
        admin = client()
        self.note("topics", names=sorted(admin.list_topics(timeout=LIMIT_S).topics))
        self.file.close()
