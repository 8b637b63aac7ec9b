"""Who calls: schemathesis loads this module and asks it for what each case shows of its caller.

From here it has the check of rules.py too, and the count of cases.py.
"""

import os
from typing import Any

import httpx
import schemathesis

from nexus.api.openapi.examples import ORDER
from tests.fuzz.cases import Counted
from tests.fuzz.rules import refused_by_a_rule


class Caller:
    """A seller or an admin with a token, a browser with the cookie, a buyer with a receipt, or a stranger."""

    def __init__(self) -> None:
        """Be the one whom the environment names."""
        self.kind = os.environ["FUZZ_CALLER"]
        self.http = httpx.Client(timeout=30)
        self.token = ""

    def get(self, _: Any, context: Any) -> str | None:
        """The caller's receipt, or a token: a new one where a case has ended the session of the last."""
        if self.kind == "stranger":
            return None
        if self.kind == "buyer":
            return os.environ["FUZZ_RECEIPT"]
        me = f"{context.operation.base_url}/api/auth/me"
        shown = {"Authorization": f"Bearer {self.token}"}
        if not self.token or self.http.get(me, headers=shown).status_code == 401:
            account = {"email": os.environ["FUZZ_EMAIL"], "password": os.environ["FUZZ_PASSWORD"]}
            answer = self.http.post(f"{context.operation.base_url}/api/auth/login", json=account)
            self.token = answer.json()["token"]
            # A jar would show the cookie beside whatever else is shown.
            self.http.cookies.clear()
        return self.token

    def set(self, case: Any, shown: str, context: Any) -> None:
        """Show it as this caller does; the order of the examples is one that is there."""
        if case.path_parameters.get("orderId") == ORDER["id"]:
            case.path_parameters["orderId"] = os.environ["FUZZ_ORDER"]
        if self.kind == "browser":
            case.cookies = {**(case.cookies or {}), "token": shown}
            case.headers["Origin"] = context.operation.base_url.rstrip("/")
        else:
            case.headers["Authorization"] = f"{'Receipt' if self.kind == 'buyer' else 'Bearer'} {shown}"


schemathesis.auth(refresh_interval=None)(Caller)
schemathesis.check(refused_by_a_rule)
schemathesis.check(Counted)
