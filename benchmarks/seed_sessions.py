"""Some forty openings of support sessions, of all kinds, as JSON Lines: what `make serve` fills its store with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

TWICE = "I was charged twice and your docs didn't help."
# what customers write, and about which accounts of which tenants
LARGE = {"acme": "1002 3227 3047 3217 3013", "globex": "3041 3019 3281", "umbrella": "3259 3198"}
SMALL = {"acme": "1001 3115 3063 3286 3084 3156", "globex": "2001 3124 3044 3112"}
REFUSED = {"acme": "3118 1004", "globex": "1003", "umbrella": "9999"}
PEOPLE = {"acme": "1005", "globex": "3006", "initech": "3237"}
LEDGER = {"acme": "1006 3197", "globex": "3032"}
ASKING = {"acme": "1003 3002 3004", "globex": "3001 3008 3009", "umbrella": "3253", "initech": "3251"}
KINDS = [
    # people are asked about large refunds, and small ones run at once
    ([TWICE, "The same payment was taken two times, please look", "There is a duplicate charge on my bill"], LARGE),
    ([TWICE, "My card was billed twice for one purchase"], SMALL),
    # not verified, of another tenant, not known
    ([TWICE], REFUSED),
    (["I want to talk to a human", "Can I speak to a real person?"], PEOPLE),
    (["Please check the ledger for the second charge"], LEDGER),
    (["Where do I find my invoices?", "How do I change my billing email?", "What does a refund cost?"], ASKING),
]


def openings() -> Iterator[dict[str, Any]]:
    """One after the other, the kinds mixed: a message about an account, by its tenant."""
    for kinds in zip_longest(*map(_of_kind, KINDS)):
        yield from (one for one in kinds if one is not None)


def _of_kind(kind: tuple[list[str], dict[str, str]]) -> Iterator[dict[str, Any]]:
    messages, accounts = kind
    named = [(tenant, account) for tenant, numbers in accounts.items() for account in numbers.split()]
    for number, (tenant, account) in enumerate(named):
        attributes = {"tenant": tenant, "account_id": f"acct_{account}"}
        yield {"message": messages[number % len(messages)], "attributes": attributes}


if __name__ == "__main__":
    for one in openings():
        print(json.dumps(one))
