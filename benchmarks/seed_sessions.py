"""Some forty openings of support sessions, of all kinds, as JSON Lines: what `make serve` fills its store with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ACME = ["acct_1001", "acct_1002", "acct_1003", "acct_1004", "acct_1005", "acct_1006", "acct_3002", "acct_3004"]
GLOBEX = ["acct_2001", "acct_3001", "acct_3006", "acct_3008"]
MESSAGES = [
    "I was charged twice and your docs didn't help.",
    "I want to talk to a human",
    "Please check the ledger for the second charge",
    "Where do I find my invoices?",
]


def openings() -> Iterator[dict[str, Any]]:
    """One after the other: a message about an account, by its tenant."""
    for tenant, accounts in (("acme", ACME), ("globex", GLOBEX)):
        for number, account in enumerate(accounts):
            for message in MESSAGES[: 4 if number < 5 else 3]:
                yield {"message": message, "attributes": {"tenant": tenant, "account_id": account}}


if __name__ == "__main__":
    for one in openings():
        print(json.dumps(one))
