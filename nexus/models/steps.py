"""An order's state machine: its steps, who may take them, and how PostgreSQL enforces and records them."""

from dataclasses import dataclass, field
from typing import Any

import peewee
from peewee import fn

from nexus.models.base import Trigger

#: The statuses to which an order may go, by its present one.
Steps = dict[str, tuple[str, ...]]

#: Every step that an order may take. An order of a free product starts out as paid.
STEPS: Steps = {
    "created": ("processing", "paid", "cancelled"),
    "processing": ("paid", "cancelled"),
    "paid": ("refunded",),
    "refunded": (),
    "cancelled": (),
}
#: The steps that its buyer may take.
BUYER_STEPS: Steps = {"created": ("cancelled",), "processing": ("cancelled",)}
#: The statuses that a new order can have.
INITIAL = ("created", "paid")


def validate(steps: Steps, *, initial: tuple[str, ...]) -> None:
    """Raise ValueError for an unknown target, an unreachable status, or one that cannot reach an end."""
    for status, targets in steps.items():
        if unknown := set(targets) - steps.keys():
            raise ValueError(
                f"a step leads from {status} to {', '.join(sorted(unknown))}, which is not a status"
            )
    reached, found = set(initial), list(initial)
    while found:
        new = set(steps[found.pop()]) - reached
        reached |= new
        found += new
    if lost := steps.keys() - reached:
        raise ValueError(f"no order can become {', '.join(sorted(lost))}")
    ending = {status for status, targets in steps.items() if not targets}
    while more := {status for status, targets in steps.items() if ending & set(targets)} - ending:
        ending |= more
    if endless := steps.keys() - ending:
        raise ValueError(f"no step leads from {', '.join(sorted(endless))} to an end")


def within(part: Steps, whole: Steps) -> bool:
    """Whether every step of `part` is also one of `whole`."""
    return all(set(targets) <= set(whole.get(status, ())) for status, targets in part.items())


validate(STEPS, initial=INITIAL)
if not within(BUYER_STEPS, STEPS):
    raise ValueError("BUYER_STEPS has a step that STEPS does not have")


@dataclass(frozen=True)
class Actor:
    """Who acts on an order, as its events name them, and which steps they may take."""

    name: str
    #: The id of the request that does it.
    request_id: str | None = None
    steps: Steps = field(default_factory=lambda: STEPS)

    def context(self) -> tuple[Any, ...]:
        """RETURNING expressions that set nexus.actor and nexus.request_id for the statement's own triggers.

        The triggers run after the row is returned and in the same transaction, so this needs neither a
        statement nor a transaction of its own.
        """
        return (
            fn.set_config("nexus.actor", self.name, peewee.SQL("true")).alias("told_actor"),
            fn.set_config("nexus.request_id", self.request_id or "", peewee.SQL("true")).alias(
                "told_request"
            ),
        )


PAIRS = ",\n".join(
    f"        ('{status}', '{target}')" for status, targets in STEPS.items() for target in targets
)
STEP = Trigger(
    name="step",
    event="BEFORE UPDATE OF status",
    condition="OLD.status IS DISTINCT FROM NEW.status",
    function="check_order_step",
    body=f"""
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
{PAIRS}
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            CONSTRAINT = 'orders_step',
            MESSAGE = 'an order cannot go from ' || OLD.status || ' to ' || NEW.status;
    END IF;
    RETURN NEW;
END
""",
)
# After a transaction-local set_config the setting is '' in the session's later transactions, not NULL; hence
# nullif.
RECORD = """
BEGIN
    IF current_setting('nexus.import', true) = 'on' THEN
        RETURN NULL;
    END IF;
    INSERT INTO order_events (order_id, at, "from", "to", actor, request_id)
    VALUES (
        NEW.id,
        CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE clock_timestamp() END,
        OLD.status,
        NEW.status,
        coalesce(nullif(current_setting('nexus.actor', true), ''), session_user),
        nullif(current_setting('nexus.request_id', true), '')
    );
    RETURN NULL;
END
"""
PLACED = Trigger(name="placed", event="AFTER INSERT", function="record_order_event", body=RECORD)
MOVED = Trigger(
    name="moved",
    event="AFTER UPDATE",
    condition="OLD.status IS DISTINCT FROM NEW.status",
    function="record_order_event",
    body=RECORD,
)

# An event may only be deleted by ON DELETE CASCADE, which deletes the order before its events.
KEEPING = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (SELECT FROM orders WHERE id = OLD.order_id) THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'TRUNCATE' THEN
        IF NOT EXISTS (SELECT FROM orders) THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = 'an event cannot be changed, and goes only with its order';
END
"""
KEEP = Trigger(name="keep", event="BEFORE UPDATE OR DELETE", function="keep_order_events", body=KEEPING)
KEEP_ALL = Trigger(
    name="keep_all", event="AFTER TRUNCATE", each="STATEMENT", function="keep_order_events", body=KEEPING
)
