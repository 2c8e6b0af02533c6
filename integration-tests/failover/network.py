"""A switch with one cable to each broker, in the measurement's own network namespace: gone with its last process."""

import subprocess

SUBNET = "10.77.0"
# Of everybody who is not a broker: clients and ZooKeeper.
HUB = f"{SUBNET}.1"


def address_of(broker):
    return f"{SUBNET}.{10 + broker}"


def inside(broker, command):
    """The command, in the broker's own network namespace, under the process id that it is started with."""
    return ["nsenter", f"--net=/run/netns/broker-{broker}", *command]


def lay(brokers):
    ip("link set lo up")
    ip("link add hub type bridge")
    ip(f"address add {HUB}/24 dev hub")
    ip("link set hub up")
    for broker in brokers:
        ip(f"netns add broker-{broker}")
        ip(f"link add cable-{broker} type veth peer name eth0 netns broker-{broker}")
        ip(f"link set cable-{broker} master hub up")
        ip(f"-n broker-{broker} address add {address_of(broker)}/24 dev eth0")
        ip(f"-n broker-{broker} link set lo up")
        ip(f"-n broker-{broker} link set eth0 up")


def cut(broker):
    ip(f"link set cable-{broker} down")


def mend(broker):
    ip(f"link set cable-{broker} up")


def ip(arguments):
    subprocess.run(["ip", *arguments.split()], check=True)
