"""What each role may do: a table, and nothing else grants anything."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What somebody is at the service; who is nothing of it may do nothing."""

    CALLER = "caller"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    AUTHOR = "author"
    OPERATOR = "operator"


class Right(StrEnum):
    """Something that can be asked for at the service; `own` sessions are those that one has started."""

    START = "start"
    READ_OWN = "read_own"
    READ = "read"
    SEND = "send"
    CANCEL = "cancel"
    READ_REQUESTS = "read_requests"
    ANSWER = "answer"
    COMMENT = "comment"
    AUDIT = "audit"
    OPERATE_JOBS = "operate_jobs"
    MANAGE_TOKENS = "manage_tokens"
    ERASE = "erase"
    TRY_BUNDLES = "try_bundles"
    UPLOAD_BUNDLES = "upload_bundles"
    DEPLOY = "deploy"


# what people say is said by people
OF_PEOPLE = frozenset({Right.ANSWER, Right.COMMENT})

_CALLER = frozenset({Right.START, Right.READ_OWN, Right.SEND})
_READER = frozenset({Right.READ_OWN, Right.READ, Right.READ_REQUESTS})

# an operator runs the engine and answers nothing: whose yes counts is a person who is asked as a reviewer
RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.CALLER: _CALLER,
    Role.REVIEWER: _READER | {Right.ANSWER, Right.COMMENT},
    Role.AUDITOR: _READER | {Right.AUDIT},
    Role.AUTHOR: _READER | {Right.UPLOAD_BUNDLES, Right.TRY_BUNDLES, Right.COMMENT},
    Role.OPERATOR: _READER
    | _CALLER
    | {Right.CANCEL, Right.AUDIT, Right.OPERATE_JOBS, Right.MANAGE_TOKENS, Right.ERASE}
    | {Right.UPLOAD_BUNDLES, Right.TRY_BUNDLES, Right.DEPLOY, Right.COMMENT},
}
