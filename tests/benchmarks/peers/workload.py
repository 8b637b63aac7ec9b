"""The requests to each contestant, and the measurements of wrk."""

import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import jwt

from tests.benchmarks.peers.contestants import KEYS
from tests.benchmarks.peers.data import PASSWORD, PRODUCTS, SEARCHES, USERS

JSON = {"Content-Type": "application/json"}
#: The number of accounts whose tokens are used in requests.
SIGNED_IN = 50
#: The script for wrk: it generates the requests of an endpoint, and prints the results at the end.
SCRIPT = """
local endpoint = "@endpoint@"
local tokens, searches = @tokens@, @searches@
local json = {["Content-Type"] = "application/json"}
local requests = {}

function requests.list()
    return wrk.format("GET", "/api/products?limit=20&userId=" .. math.random(@users@))
end

function requests.product()
    return wrk.format("GET", "/api/products/" .. math.random(@products@))
end

function requests.order()
    count = count + 1
    local key = string.format("@nonce@-%02d-%012d", number, count)
    local body = string.format(
        '{"productId":%d,"email":"buyer@example.com","name":"Anna"}', math.random(@products@))
    local headers = {["Content-Type"] = "application/json", ["Idempotency-Key"] = key}
    return wrk.format("POST", "/api/orders", headers, body)
end

function requests.me()
    local headers = {["Authorization"] = "Bearer " .. tokens[math.random(#tokens)]}
    return wrk.format("GET", "/api/auth/me", headers)
end

function requests.search()
    return wrk.format("GET", "/api/products?limit=20&q=" .. searches[math.random(#searches)])
end

function requests.login()
    local body = string.format(
        '{"email":"user%d@example.com","password":"@password@"}', math.random(@users@))
    return wrk.format("POST", "/api/auth/login", json, body)
end

function requests.mixed()
    local chance = math.random(100)
    if chance <= 60 then return requests.list() end
    if chance <= 80 then return requests.product() end
    if chance <= 90 then return requests.order() end
    if chance <= 95 then return requests.me() end
    return requests.search()
end

local threads = 0
function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

function init()
    count = 0
    math.randomseed(@seed@ + number)
end

function request()
    return requests[endpoint]()
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\\n{"seconds":%f,"requests":%d,"p50":%f,"p99":%f,"refused":%d,"broken":%d}\\n',
        summary.duration / 1e6, summary.requests, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""
ENDPOINTS = {
    "list": "list of 20",
    "product": "one product",
    "order": "create an order",
    "me": "me",
    "login": "sign in",
    "search": "search",
    "mixed": "mixed",
}


@dataclass(frozen=True)
class Measurement:
    """One round of one endpoint: requests per second, latencies in milliseconds, and failures."""

    rate: float
    p50: float
    p99: float
    #: Responses other than 2xx and 3xx.
    refused: int
    #: Failed connections, and requests without a response within two seconds.
    broken: int

    @property
    def errors(self) -> int:
        """Return the number of failures, which must be zero."""
        return self.refused + self.broken

    def as_json(self) -> dict[str, float]:
        """Return the values for the JSON file."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def access_token(user_id: int) -> str:
    """Return an access token of the account's session, valid for every contestant."""
    now = int(time.time())
    digest = hashlib.md5(f"session {user_id}".encode()).hexdigest()
    claims = {
        "sub": str(user_id),
        "id": user_id,
        "email": f"user{user_id}@example.com",
        # The session id that FILL_SESSIONS computes.
        "sid": str(UUID(f"{digest[:12]}4{digest[13:16]}a{digest[17:]}")),
        "type": "access",
        "fresh": False,
        "jti": secrets.token_hex(16),
        "iat": now,
        "exp": now + 7200,
    }
    return jwt.encode(claims, KEYS["JWT_SECRET_KEY"], algorithm="HS256")


def measure(url: str, endpoint: str, *, seconds: float, seed: int, folder: Path) -> Measurement:
    """Measure an endpoint with 16 connections, or 4 for sign-ins."""
    script = folder / f"{endpoint}.lua"
    script.write_text(_script(endpoint, seed))
    connections = 4 if endpoint == "login" else 16
    command = ["wrk", "-t2", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), url]
    # Ctrl-C in the terminal reaches wrk too.
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        sys.exit(f"wrk printed no results for {endpoint} at {url}: {output.strip()[-200:]}")
    seen = json.loads(lines[-1])
    rate = (seen["requests"] - seen["refused"]) / seen["seconds"]
    return Measurement(rate, seen["p50"], seen["p99"], seen["refused"], seen["broken"])


def _script(endpoint: str, seed: int) -> str:
    values = {
        "endpoint": endpoint,
        "tokens": _table(access_token(number) for number in range(1, SIGNED_IN + 1)),
        "searches": _table(urlencode({"q": words})[2:] for words in SEARCHES),
        "users": USERS,
        "products": PRODUCTS,
        "nonce": secrets.token_hex(12),
        "password": PASSWORD,
        "seed": seed * 100,
    }
    script = SCRIPT
    for name, value in values.items():
        script = script.replace(f"@{name}@", str(value))
    return script


def _table(texts: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{text}"' for text in texts) + "}"
