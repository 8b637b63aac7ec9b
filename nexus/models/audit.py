"""The audit log of what people change through the pages, written in the transaction of the change."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peewee

from nexus.db import database
from nexus.models.base import BigIdentityField, Model, TimeField, Trigger, now
from nexus.models.steps import Actor

KEEP = Trigger(
    name="keep",
    event="BEFORE UPDATE OR DELETE",
    function="keep_audit",
    body="""
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = 'what was audited cannot be changed or deleted';
END
""",
)


class Audit(Model):
    """One action: `subject` is the table and `key` the row that it changed."""

    triggers = (KEEP,)

    id = BigIdentityField()
    at = TimeField(constraints=[now()])
    actor = peewee.TextField()
    action = peewee.TextField()
    subject = peewee.TextField()
    key = peewee.TextField()
    #: JSON, for people to read.
    details = peewee.TextField()
    request_id = peewee.TextField(null=True)
    # A row is written once, and `at` says when.
    created_at = None
    updated_at = None

    class Meta:
        """Peewee's options."""

        table_name = "audit"

    @classmethod
    @contextmanager
    def of(cls, action: str, subject: str, key: object, *, by: Actor) -> Iterator[dict[str, Any]]:
        """Run the block in a transaction that ends by auditing it; the block fills in the details.

        If the action or its audit fails, both are rolled back. A block that leaves the details empty changed
        nothing and is not audited.
        """
        details: dict[str, Any] = {}
        with database.atomic():
            yield details
            if details:
                cls.insert(
                    actor=by.name,
                    action=action,
                    subject=subject,
                    key=str(key),
                    details=json.dumps(details, ensure_ascii=False),
                    request_id=by.request_id,
                ).execute()


Audit.add_index(Audit.actor, Audit.id, name="audit_of_actor")
Audit.add_index(Audit.subject, Audit.key, Audit.id, name="audit_of_subject")
