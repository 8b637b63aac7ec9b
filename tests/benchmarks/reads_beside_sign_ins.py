"""Reads while four people sign in without pause: `python -m tests.benchmarks.reads_beside_sign_ins`."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.benchmarks.peers.contestants import CONTESTANTS, PRODUCT, started
from tests.benchmarks.peers.data import cluster, databases
from tests.benchmarks.peers.workload import Measurement, measure

MOST_TIMES = 3
#: Seconds by which the sign-ins begin before the reads.
AHEAD = 1


def main() -> int:
    """Measure lists alone and beside sign-ins, in turns; 1 when p99 beside them is too much longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4)
    asked = parser.parse_args()
    (product,) = (one for one in CONTESTANTS if one.name == PRODUCT)
    times = []
    with cluster() as server, tempfile.TemporaryDirectory() as logs:
        folder = Path(logs)
        with (
            started(product, database=databases(server)[0], logs=folder) as url,
            ThreadPoolExecutor() as aside,
        ):

            def reads(seed: int) -> Measurement:
                return measure(url, "list", seconds=asked.seconds, seed=seed, folder=folder)

            reads(0)
            for number in range(1, asked.rounds + 1):
                alone = reads(number)
                longer = asked.seconds + 2 * AHEAD
                signing_in = aside.submit(measure, url, "login", seconds=longer, seed=number, folder=folder)
                time.sleep(AHEAD)
                beside = reads(number)
                signed_in = signing_in.result()
                if alone.errors or beside.errors or signed_in.errors:
                    sys.exit(f"errors: {alone}, {beside}, {signed_in}")
                times.append(beside.p99 / alone.p99)
                sys.stdout.write(f"alone {alone.rate:.0f}/s, p99 {alone.p99:.1f} ms; ")
                sys.stdout.write(f"beside {signed_in.rate:.0f} sign-ins a second ")
                sys.stdout.write(f"{beside.rate:.0f}/s, p99 {beside.p99:.1f} ms: {times[-1]:.2f} times\n")
    sys.stdout.write(f"p99 of reads: {median(times):.2f} times as long (at most {MOST_TIMES})\n")
    return int(median(times) > MOST_TIMES)


if __name__ == "__main__":
    sys.exit(main())
