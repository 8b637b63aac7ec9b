"""Compare the time to refuse an unknown address and a wrong password.

Run `python -m tests.benchmarks.refused_sign_ins URL` with the URL of a running shop, such as
http://127.0.0.1:8000, with RATE_LIMIT_ENABLED=false. The benchmark creates an account there and leaves it.
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
WARM_UP = 10
#: How far the medians may differ.
MAX_PERCENT = 10


def post(connection: HTTPConnection, path: str, body: dict[str, str]) -> tuple[int, float]:
    """Return the status and the milliseconds of a call."""
    began = time.perf_counter()
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, (time.perf_counter() - began) * 1000


def measure(connection: HTTPConnection, emails: tuple[str, ...]) -> list[list[float]]:
    """Return the milliseconds of each refusal per address; the addresses are tried in turns."""
    times: list[list[float]] = [[] for _ in emails]
    for number in range(WARM_UP + TRIES):
        for found, email in zip(times, emails, strict=True):
            body = {"email": email, "password": "a wrong password"}
            status, taken = post(connection, "/api/auth/login", body)
            if status != 401:
                sys.exit(f"{email} got {status}: is RATE_LIMIT_ENABLED false?")
            if number >= WARM_UP:
                found.append(taken)
    return times


def main() -> int:
    """Measure and print; return 1 if the medians differ too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", metavar="URL")
    host = urlsplit(parser.parse_args().url).netloc
    name = secrets.token_hex(6)
    known, unknown = f"known-{name}@example.com", f"other-{name}@example.com"
    connection = HTTPConnection(host, timeout=30)
    status, _ = post(connection, "/api/auth/register", {"email": known, "password": secrets.token_hex()})
    if status != 201:
        sys.exit(f"registering got {status}")
    wrong, nobody = measure(connection, (known, unknown))
    for what, times in (("wrong password", wrong), ("unknown address", nobody)):
        low, middle, high = statistics.quantiles(times, n=4)
        sys.stdout.write(f"{what:<16} median {middle:6.2f} ms, quartiles {low:.2f} and {high:.2f}\n")
    difference = abs(statistics.median(nobody) / statistics.median(wrong) - 1) * 100
    sys.stdout.write(
        f"the medians of {TRIES} tries each differ by {difference:.1f} % (at most {MAX_PERCENT} %)\n"
    )
    return int(difference > MAX_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
