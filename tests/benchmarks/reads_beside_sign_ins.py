"""The latency of reads during continuous sign-ins: `python -m tests.benchmarks.reads_beside_sign_ins`."""

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

MAX_RATIO = 3
#: Seconds that the sign-ins start before the reads.
AHEAD = 1


def main() -> int:
    """Measure lists alone and during sign-ins, in turns; return 1 if the p99 grows too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    (product,) = (one for one in CONTESTANTS if one.name == PRODUCT)
    ratios = []
    with cluster() as server, tempfile.TemporaryDirectory() as logs:
        folder = Path(logs)
        with (
            started(product, database=databases(server)[0], logs=folder) as url,
            ThreadPoolExecutor() as executor,
        ):

            def reads(seed: int) -> Measurement:
                return measure(url, "list", seconds=given.seconds, seed=seed, folder=folder)

            reads(0)
            for number in range(1, given.rounds + 1):
                alone = reads(number)
                longer = given.seconds + 2 * AHEAD
                signing_in = executor.submit(
                    measure, url, "login", seconds=longer, seed=number, folder=folder
                )
                time.sleep(AHEAD)
                beside = reads(number)
                signed_in = signing_in.result()
                if alone.errors or beside.errors or signed_in.errors:
                    sys.exit(f"errors: {alone}, {beside}, {signed_in}")
                ratios.append(beside.p99 / alone.p99)
                sys.stdout.write(f"alone {alone.rate:.0f}/s, p99 {alone.p99:.1f} ms; ")
                sys.stdout.write(f"with {signed_in.rate:.0f} sign-ins/s: ")
                sys.stdout.write(f"{beside.rate:.0f}/s, p99 {beside.p99:.1f} ms: {ratios[-1]:.2f} times\n")
    sys.stdout.write(f"p99 of reads: {median(ratios):.2f} times as long (at most {MAX_RATIO})\n")
    return int(median(ratios) > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
