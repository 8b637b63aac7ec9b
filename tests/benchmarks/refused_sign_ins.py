"""An unknown address beside a wrong password: `python -m tests.benchmarks.refused_sign_ins ADDRESS`.

ADDRESS is that of a running shop, such as http://127.0.0.1:8000, with RATE_LIMIT_ENABLED=false; it keeps the
account that is made in it.
"""

import argparse
import json
import secrets
import statistics
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

TRIES = 200
WARMING = 10
#: How far apart the medians may be.
MOST_PERCENT = 10


def post(connection: HTTPConnection, path: str, body: dict[str, str]) -> tuple[int, float]:
    """Status and milliseconds of one call."""
    began = time.perf_counter()
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, (time.perf_counter() - began) * 1000


def measured(connection: HTTPConnection, emails: tuple[str, ...]) -> list[list[float]]:
    """The milliseconds of the refusals of each address, which take turns."""
    times: list[list[float]] = [[] for _ in emails]
    for number in range(WARMING + TRIES):
        for found, email in zip(times, emails, strict=True):
            body = {"email": email, "password": "a wrong password"}
            status, taken = post(connection, "/api/auth/login", body)
            if status != 401:
                sys.exit(f"{email} got {status}: is RATE_LIMIT_ENABLED false?")
            if number >= WARMING:
                found.append(taken)
    return times


def main() -> int:
    """Measure, print, and fail where the medians are too far apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    host = urlsplit(parser.parse_args().address).netloc
    name = secrets.token_hex(6)
    known, unknown = f"known-{name}@example.com", f"other-{name}@example.com"
    connection = HTTPConnection(host, timeout=30)
    status, _ = post(connection, "/api/auth/register", {"email": known, "password": secrets.token_hex()})
    if status != 201:
        sys.exit(f"registering got {status}")
    wrong, nobody = measured(connection, (known, unknown))
    for what, times in (("wrong password", wrong), ("unknown address", nobody)):
        low, middle, high = statistics.quantiles(times, n=4)
        sys.stdout.write(f"{what:<16} median {middle:6.2f} ms, half of them {low:.2f} to {high:.2f}\n")
    apart = abs(statistics.median(nobody) / statistics.median(wrong) - 1) * 100
    sys.stdout.write(
        f"the medians of {TRIES} tries each are {apart:.1f} % apart; {MOST_PERCENT} % are allowed\n"
    )
    return int(apart > MOST_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
