"""The programs of a measurement. They live in a process namespace of the measurement's own, so none outlives it."""

import os
import signal
import subprocess
import time

POLL_S = 0.02


class Late(Exception):
    """Something that has to come did not, within its time."""


def await_that(what, limit_s, condition, every_s=POLL_S):
    """What `condition` gives, once it is true."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Late(f"not within {limit_s} s: {what() if callable(what) else what}")
        time.sleep(every_s)
    return value


class Program:
    """A program with its output in a file; started again, it goes on in the same file."""

    def __init__(self, name, command, log, talks=False):
        self.name = name
        self.command = command
        self.log = log
        self.talks = talks
        self.child = None

    def start(self):
        with open(self.log, "a") as log:
            # A session of its own: Ctrl-C is for the measurement alone, which then ends everything.
            self.child = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE if self.talks else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def runs(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        if not self.runs():
            raise Late(f"{self.name} has ended by itself, with {self.child.returncode}; see {os.path.basename(self.log)}")
        self.child.send_signal(number)

    def say(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def end_of_input(self):
        self.child.stdin.close()

    def await_end(self, limit_s):
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise Late(f"the end of {self.name}, within {limit_s} s") from None

    def kill(self):
        if self.runs():
            # A program that was stopped dies of this, too.
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
