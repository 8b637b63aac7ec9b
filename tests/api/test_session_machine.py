"""Who may do what with which token, whatever was done before: sessions against a model of them."""

from typing import Any

from flask import Flask
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from nexus.config import Settings
from nexus.db import database
from tests.factories import Person, register
from tests.sql import query

EMAIL = "machine@example.com"


class Sign:
    """What a client holds of one sign-in, and what the model knows of it."""

    def __init__(self, body: dict[str, Any], session: int) -> None:
        self.access = str(body["token"])
        self.refresh = str(body["refreshToken"])
        self.session = session


class Sessions(RuleBasedStateMachine):
    """One account on many devices; `alive` are its sessions, `chain` the refresh tokens of each in order."""

    app: Flask
    settings: Settings
    signs = Bundle("signs")

    def __init__(self) -> None:
        super().__init__()
        self.password = "correct horse battery"
        self.alive: set[int] = set()
        self.chains: dict[int, list[str]] = {}
        #: Refresh tokens that were spent longer than ten seconds ago.
        self.stale: set[str] = set()

    @initialize()
    def begin(self) -> None:
        """Start with one account and nothing else."""
        with database.connection_context():
            for table in ("orders", "products", "users"):
                database.execute_sql(f"DELETE FROM {table}")
        register(self.app, EMAIL, password=self.password).post("/api/auth/logout")

    @rule(target=signs)
    def sign_in(self) -> Sign:
        """Sign in on another device."""
        answer = Person(self.app).post("/api/auth/login", {"email": EMAIL, "password": self.password})
        assert answer.status_code == 200
        number = len(self.chains)
        self.alive.add(number)
        self.chains[number] = [answer.get_json()["refreshToken"]]
        return Sign(answer.get_json(), number)

    @rule(target=signs, sign=signs)
    def refresh(self, sign: Sign) -> Sign:
        """Present a refresh token, whether it is the unspent one, its parent or an older one."""
        answer = Person(self.app).post("/api/auth/refresh", {"refreshToken": sign.refresh})
        chain = self.chains[sign.session]
        place = chain.index(sign.refresh)
        if sign.session not in self.alive:
            assert answer.status_code == 401
            return sign
        if place == len(chain) - 1:
            assert answer.status_code == 200
            chain.append(answer.get_json()["refreshToken"])
            assert len(set(chain)) == len(chain)
        elif place == len(chain) - 2 and sign.refresh not in self.stale:
            assert answer.get_json()["refreshToken"] == chain[-1]
        else:
            assert answer.status_code == 401
            self.alive.discard(sign.session)
            return sign
        return Sign(answer.get_json(), sign.session)

    @rule()
    def ten_seconds_pass(self) -> None:
        """Make every spent token one that was spent before."""
        query(self.settings, "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'")
        self.stale |= {token for chain in self.chains.values() for token in chain[:-1]}

    @rule(sign=signs, asked=st.sampled_from(["bearer", "cookie"]))
    def ask(self, sign: Sign, asked: str) -> None:
        """Ask who is signed in, with any access token there ever was."""
        headers = {"Cookie": f"token={sign.access}"} if asked == "cookie" else {}
        person = Person(self.app, token=None if headers else sign.access)
        expected = 200 if sign.session in self.alive else 401
        assert person.get("/api/auth/me", headers=headers).status_code == expected

    @rule(sign=consumes(signs))
    def log_out(self, sign: Sign) -> None:
        """Log out with any access token there ever was."""
        answer = Person(self.app, token=sign.access).post("/api/auth/logout")
        assert answer.status_code == (204 if sign.session in self.alive else 401)
        self.alive.discard(sign.session)

    @rule(sign=signs)
    def change_password(self, sign: Sign) -> None:
        """Change the password: every other session ends."""
        new = self.password[::-1]
        body = {"currentPassword": self.password, "newPassword": new}
        answer = Person(self.app, token=sign.access).post("/api/auth/password", body)
        assert answer.status_code == (204 if sign.session in self.alive else 401)
        if sign.session in self.alive:
            self.password, self.alive = new, {sign.session}

    @invariant()
    def the_database_agrees(self) -> None:
        """As many sessions are alive as the model says."""
        alive = query(self.settings, "SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        assert alive[0][0] == len(self.alive)


def test_whatever_is_done_each_token_does_what_the_model_says(app: Flask, settings: Settings) -> None:
    machine = type("Machine", (Sessions,), {"app": app, "settings": settings})
    run_state_machine_as_test(machine, settings=examples(max_examples=15, stateful_step_count=20))
