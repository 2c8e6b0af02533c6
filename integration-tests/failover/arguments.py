"""What scripts/failover can be told."""

import argparse

ABOUT = "How long clients wait when a broker dies, hangs, is cut off or is restarted."
SYSTEMS = ("sordini", "kafka-zk", "kafka-kraft")
FAULTS = ("kill", "stop", "cut", "roll")


def names(known):
    def chosen_of(text):
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: none of {', '.join(known)}")
        return chosen

    return chosen_of


def parse():
    parser = argparse.ArgumentParser(prog="failover", description=ABOUT)
    parser.add_argument("--runs", type=int, default=20, help="how often a leader is killed (20)")
    parser.add_argument("--fewer", type=int, default=3, help="how often each of the other faults happens (3)")
    parser.add_argument("--systems", type=names(SYSTEMS), default=SYSTEMS, help="of " + ",".join(SYSTEMS))
    parser.add_argument("--only", type=names(FAULTS), default=FAULTS, help="of " + ",".join(FAULTS))
    parser.add_argument("--write", metavar="FILE", help="the table goes to FILE, too")
    return parser.parse_args()


if __name__ == "__main__":
    parse()
