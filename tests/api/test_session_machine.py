"""What each token can do after any sequence of actions: sessions against a model of them."""

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


class Tokens:
    """The tokens that a client has of a session, and the number of the session in the model."""

    def __init__(self, body: dict[str, Any], session: int) -> None:
        self.access = str(body["token"])
        self.refresh = str(body["refreshToken"])
        self.session = session


class Sessions(RuleBasedStateMachine):
    """One account on many devices: `alive` has its sessions, `chains` the refresh tokens of each in order."""

    app: Flask
    settings: Settings
    tokens = Bundle("tokens")

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

    @rule(target=tokens)
    def sign_in(self) -> Tokens:
        """Sign in on another device."""
        answer = Person(self.app).post("/api/auth/login", {"email": EMAIL, "password": self.password})
        assert answer.status_code == 200
        number = len(self.chains)
        self.alive.add(number)
        self.chains[number] = [answer.get_json()["refreshToken"]]
        return Tokens(answer.get_json(), number)

    @rule(target=tokens, held=tokens)
    def refresh(self, held: Tokens) -> Tokens:
        """Present a refresh token, whether it is the unspent one, its parent or an older one."""
        answer = Person(self.app).post("/api/auth/refresh", {"refreshToken": held.refresh})
        chain = self.chains[held.session]
        place = chain.index(held.refresh)
        if held.session not in self.alive:
            assert answer.status_code == 401
            return held
        if place == len(chain) - 1:
            assert answer.status_code == 200
            chain.append(answer.get_json()["refreshToken"])
            assert len(set(chain)) == len(chain)
        elif place == len(chain) - 2 and held.refresh not in self.stale:
            assert answer.get_json()["refreshToken"] == chain[-1]
        else:
            assert answer.status_code == 401
            self.alive.discard(held.session)
            return held
        return Tokens(answer.get_json(), held.session)

    @rule()
    def ten_seconds_pass(self) -> None:
        """Make every spent token one that was spent too long ago."""
        query(self.settings, "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'")
        self.stale |= {token for chain in self.chains.values() for token in chain[:-1]}

    @rule(held=tokens, asked=st.sampled_from(["bearer", "cookie"]))
    def ask(self, held: Tokens, asked: str) -> None:
        """Ask who is signed in, with any access token there ever was."""
        headers = {"Cookie": f"token={held.access}"} if asked == "cookie" else {}
        person = Person(self.app, token=None if headers else held.access)
        expected = 200 if held.session in self.alive else 401
        assert person.get("/api/auth/me", headers=headers).status_code == expected

    @rule(held=consumes(tokens))
    def log_out(self, held: Tokens) -> None:
        """Log out with any access token there ever was."""
        answer = Person(self.app, token=held.access).post("/api/auth/logout")
        assert answer.status_code == (204 if held.session in self.alive else 401)
        self.alive.discard(held.session)

    @rule(held=tokens)
    def change_password(self, held: Tokens) -> None:
        """Change the password: every other session ends."""
        new = self.password[::-1]
        body = {"currentPassword": self.password, "newPassword": new}
        answer = Person(self.app, token=held.access).post("/api/auth/password", body)
        assert answer.status_code == (204 if held.session in self.alive else 401)
        if held.session in self.alive:
            self.password, self.alive = new, {held.session}

    @invariant()
    def the_database_agrees(self) -> None:
        """The database has as many live sessions as the model."""
        alive = query(self.settings, "SELECT count(*) FROM sessions WHERE ended_at IS NULL")
        assert alive[0][0] == len(self.alive)


def test_tokens_match_a_model_after_any_sequence_of_actions(app: Flask, settings: Settings) -> None:
    machine = type("Machine", (Sessions,), {"app": app, "settings": settings})
    run_state_machine_as_test(machine, settings=examples(max_examples=15, stateful_step_count=20))
