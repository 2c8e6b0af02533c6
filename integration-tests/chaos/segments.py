"""The logs of the replicas as they lie on their disks, batch for batch."""

import struct
import zlib
from pathlib import Path

# Base offset, length, leader epoch, magic, checksum, attributes, last offset delta.
HEADER = struct.Struct(">qiibIhi")
BEFORE_LENGTH_ENDS = 12


def batches(folder):
    """(first offset, last offset, leader epoch, checksum of all bytes) of every batch of one replica, in order."""
    found = []
    for file in sorted(Path(folder).glob("*.log")):
        content = file.read_bytes()
        at = 0
        while at + HEADER.size <= len(content):
            base, length, epoch, magic, _, _, delta = HEADER.unpack_from(content, at)
            end = at + BEFORE_LENGTH_ENDS + length
            # Room that is kept for later, or what a broker has left half written.
            if magic != 2 or length <= 0 or end > len(content):
                break
            found.append((base, base + delta, epoch, zlib.crc32(content[at:end])))
            at = end
    return found


def divergent(replicas):
    """`{name: batches}` of one partition: where two of them differ within the offsets that both hold."""
    found = []
    names = sorted(replicas)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            if replicas[one] and replicas[other]:
                found.extend(f"{one} has {a}, {other} has {b}" for a, b in differences(replicas[one], replicas[other]))
    return found


def differences(one, other):
    first = max(one[0][0], other[0][0])
    last = min(one[-1][1], other[-1][1])
    one, other = ([batch for batch in it if batch[0] >= first and batch[1] <= last] for it in (one, other))
    for a, b in zip(one, other):
        if a != b:
            # Whatever follows is shifted and says no more.
            return [(a, b)]
    if len(one) != len(other):
        longer = max(one, other, key=len)
        return [(one[-1:], other[-1:]), ("one more is", longer[min(len(one), len(other))])]
    return []


def ends(replicas):
    """Where nobody writes any more and all are in sync, all have the same end."""
    found = {name: log[-1][1] + 1 if log else 0 for name, log in replicas.items()}
    return found if len(set(found.values())) > 1 else None


def compare(log_dirs, replicas_of):
    """
    `{broker: [directory, ...]}` and `{partition: [broker, ...]}`. Gives what differs, logs of different length, how many batches were
    compared, and what brokers have beside that (what was moved away while they were gone).
    """
    differ, short, count = [], [], 0
    for name, brokers in replicas_of.items():
        folders = {broker: folder / name for broker in brokers for folder in map(Path, log_dirs[broker]) if (folder / name).is_dir()}
        replicas = {broker: batches(folder) for broker, folder in folders.items()}
        count += sum(len(it) for it in replicas.values())
        differ.extend(f"{name}: {what}" for what in divergent(replicas))
        missing = set(brokers) - set(folders)
        if missing or ends(replicas):
            short.append(f"{name}: no log on {sorted(missing)}, ends {ends(replicas)}")
    return differ, short, count, strays(log_dirs, replicas_of)


def strays(log_dirs, replicas_of):
    return [
        f"{broker}: {name}"
        for name, brokers in replicas_of.items()
        for broker, folders in log_dirs.items()
        if broker not in brokers and any((Path(folder) / name).is_dir() for folder in folders)
    ]
