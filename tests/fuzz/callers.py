"""The callers: schemathesis loads this module and gets the credentials of each case from it.

The module also registers the check and the filter of rules.py and the counter of cases.py.
"""

import os
from typing import Any

import httpx
import schemathesis

from nexus.api.openapi.examples import ORDER
from tests.fuzz.cases import Counted
from tests.fuzz.rules import is_a_failure, refused_by_a_rule


class Caller:
    """A seller or admin with a token, a browser with the cookie, a buyer with a receipt, or a stranger."""

    def __init__(self) -> None:
        """Read from the environment which kind of caller this is."""
        self.kind = os.environ["FUZZ_CALLER"]
        self.http = httpx.Client(timeout=30)
        self.token = ""

    def get(self, _: Any, context: Any) -> str | None:
        """Return the caller's receipt or token, which is renewed if a case has ended its session."""
        if self.kind == "stranger":
            return None
        if self.kind == "buyer":
            return os.environ["FUZZ_RECEIPT"]
        me = f"{context.operation.base_url}/api/auth/me"
        headers = {"Authorization": f"Bearer {self.token}"}
        if not self.token or self.http.get(me, headers=headers).status_code == 401:
            account = {"email": os.environ["FUZZ_EMAIL"], "password": os.environ["FUZZ_PASSWORD"]}
            answer = self.http.post(f"{context.operation.base_url}/api/auth/login", json=account)
            self.token = answer.json()["token"]
            # The cookie jar would send the cookie in addition to the token.
            self.http.cookies.clear()
        return self.token

    def set(self, case: Any, credential: str, context: Any) -> None:
        """Send the credential as this caller does, and replace the examples' order id by an existing one."""
        if case.path_parameters.get("orderId") == ORDER["id"]:
            case.path_parameters["orderId"] = os.environ["FUZZ_ORDER"]
        if self.kind == "browser":
            case.cookies = {**(case.cookies or {}), "token": credential}
            case.headers["Origin"] = context.operation.base_url.rstrip("/")
        else:
            case.headers["Authorization"] = f"{'Receipt' if self.kind == 'buyer' else 'Bearer'} {credential}"


schemathesis.auth(refresh_interval=None)(Caller)
schemathesis.check(refused_by_a_rule)
schemathesis.hook("filter_failure")(is_a_failure)
schemathesis.check(Counted)
