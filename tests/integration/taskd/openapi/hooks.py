"""What no schema can say of a request that is right: put in where schemathesis means one.

Requests that are meant to be wrong pass untouched.
"""

import base64
import os
import uuid
from datetime import datetime, timedelta, timezone

import schemathesis
from schemathesis import GenerationMode

OPEN = os.environ.get("TASKWIRE_OPEN_TASKS", "").split()
ASKING = os.environ.get("TASKWIRE_ASKING_TASKS", "").split()


def is_meant_well(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


def cursor(case):
    """A cursor is opaque, and belongs to a list and its order."""
    is_by_update = case.query.get("sort") == "-updatedAt" or case.operation.path == "/api/admin/positions"
    kind = "u" if is_by_update else "c"
    if case.operation.path == "/api/notifications":
        kind = "n"
    plain = f"{kind}.1700000000000.{'a' * 24}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def be_in_time(body):
    """A revocation ends in the future, and speaks of a past that computers know."""
    if not isinstance(body, dict):
        return
    if isinstance(body.get("expiresAt"), str):
        body["expiresAt"] = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
    if isinstance(body.get("issuedBefore"), str):
        body["issuedBefore"] = "2020-02-29T23:59:59.5+01:00"


def meet_a_task(case):
    """Most ids of the right form belong to nothing: two cases of three ask for a task that is there."""
    name = case.operation.definition.raw.get("operationId")
    if name == "clarifyTask" and ASKING and isinstance(case.body, dict):
        # Each of these asks one question, once.
        case.path_parameters["id"] = ASKING.pop()
        case.body["answers"] = case.body["answers"][:1]
    elif name in ("getTask", "editTask", "listEvents", "clarifyTask"):
        meet_a_task.calls += 1
        if meet_a_task.calls % 3:
            case.path_parameters["id"] = OPEN[meet_a_task.calls % len(OPEN)]


meet_a_task.calls = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    if not is_meant_well(case):
        return
    if case.query and "cursor" in case.query:
        case.query["cursor"] = cursor(case)
    if case.headers and "Idempotency-Key" in case.headers:
        # Used a second time with another body, a key is refused as it should be.
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.operation.path == "/api/admin/revocations":
        be_in_time(case.body)
    if case.operation.path.startswith("/api/tasks/{id}") and OPEN:
        meet_a_task(case)
