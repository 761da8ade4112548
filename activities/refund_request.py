"""Who performs the steps of a refund request."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.local_store import transaction
from workunits.catalog.refund_request import RefundRequest as Unit
from workunits.contracts.refund_request import (
    AlreadyRefunded,
    Claim,
    Money,
    Notice,
    Order,
    OrderNumber,
    OrderUnknown,
    Paid,
    Payment,
    Ruling,
    Sent,
)
from workunits.messages import Transport
from workunits.performs import effect_key, performs

LIMIT = Money(minor=100_00, currency="EUR")
"""Up to this amount, itself included, the policy pays by itself."""
RETURN_PERIOD = timedelta(days=30)
"""From the delivery to the request, both days as dates."""
ORDERS = Path(__file__).parent / "data" / "orders.csv"
TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, email TEXT NOT NULL, cost_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    ordered_on TEXT NOT NULL, delivered_on TEXT NOT NULL, refunded_minor INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS payments (
    payment INTEGER PRIMARY KEY, order_id TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    effect_key TEXT NOT NULL UNIQUE)
"""


class Shop:
    """The order table and the payments ledger, in a SQLite file that starts with the shipped orders."""

    def __init__(self, data: Path) -> None:
        self._file = data / "shop.sqlite"

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with transaction(self._file, TABLES) as db:
            db.row_factory = sqlite3.Row
            if db.execute("SELECT 1 FROM orders LIMIT 1").fetchone() is None:
                with ORDERS.open(encoding="utf-8", newline="") as file:
                    db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", list(csv.reader(file))[1:])
            yield db

    @performs(Unit.FIND_ORDER)
    def find_order(self, number: OrderNumber) -> Order:
        """Look the order up, with what was paid back so far.

        Raises:
            OrderUnknown: no order has this number.
        """
        with self._open() as db:
            row = _order(db, number.order)
            if row is None:
                raise OrderUnknown
            refunded = row["refunded_minor"] + _paid_back(db, number.order)
        try:
            return Order.model_validate(
                {
                    "order": row["order_id"],
                    "email": row["email"],
                    "cost": {"minor": row["cost_minor"], "currency": row["currency"]},
                    "ordered_on": row["ordered_on"],
                    "delivered_on": row["delivered_on"] or None,
                    "refunded_minor": refunded,
                }
            )
        except ValidationError as error:
            where = ", ".join(str(fault["loc"][0]) for fault in error.errors())
            raise ValueError(f"the order table is damaged: {where} of {row['order_id']}") from None

    @performs(Unit.PAY)
    def pay(self, payment: Payment) -> Paid:
        """Enter the payment into the ledger, once, however often the step is attempted.

        Raises:
            AlreadyRefunded: together with earlier payments it exceeds what the order cost.
            ApplicationError: the key stands in the ledger for another payment, or the order is gone.
        """
        key, amount = effect_key(), payment.amount
        asked = (payment.order, amount.minor, amount.currency)
        with self._open() as db:
            there = db.execute("SELECT * FROM payments WHERE effect_key = ?", (key,)).fetchone()
            if there:
                if (there["order_id"], there["amount_minor"], there["currency"]) != asked:
                    raise ApplicationError(f"{key} paid something else", type="key_reused", non_retryable=True)
                return Paid(payment=there["payment"], amount=amount)
            row = _order(db, payment.order)
            if row is None or row["currency"] != amount.currency:
                raise ApplicationError(
                    "the order has changed since it was found", type="order_changed", non_retryable=True
                )
            if row["refunded_minor"] + _paid_back(db, payment.order) + amount.minor > row["cost_minor"]:
                raise AlreadyRefunded
            entry = db.execute(
                "INSERT INTO payments (order_id, amount_minor, currency, effect_key) VALUES (?, ?, ?, ?)", (*asked, key)
            )
        return Paid(payment=int(entry.lastrowid or 0), amount=amount)


def _order(db: sqlite3.Connection, order: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM orders WHERE order_id = ?", (order,)).fetchone()
    return row


def _paid_back(db: sqlite3.Connection, order: str) -> int:
    total = db.execute("SELECT coalesce(sum(amount_minor), 0) FROM payments WHERE order_id = ?", (order,))
    return int(total.fetchone()[0])


@performs(Unit.APPLY_POLICY)
def apply_policy(claim: Claim) -> Ruling:
    """Rule on a claim: refuse what is clear, ask a person about what is not, pay the rest."""
    refusal = _refusal(claim)
    if refusal:
        return Ruling(verdict="refuse", reason=refusal)
    doubt = _doubt(claim)
    if doubt:
        return Ruling(verdict="ask", reason=doubt)
    return Ruling(verdict="pay", reason=f"In time, and up to {_shown(LIMIT.minor, LIMIT.currency)}.")


def _refusal(claim: Claim) -> str | None:
    order, amount = claim.order, claim.amount
    left = order.cost.minor - order.refunded_minor
    if amount.currency != order.cost.currency:
        return f"The order was paid in {order.cost.currency}."
    if left <= 0:
        return "The order has been refunded in full."
    if amount.minor > left:
        return f"At most {_shown(left, amount.currency)} of the order can be refunded."
    if _late(claim) and claim.cause == "not_wanted":
        return f"The return period of {RETURN_PERIOD.days} days is over."
    return None


def _doubt(claim: Claim) -> str | None:
    order, amount = claim.order, claim.amount
    if claim.email.casefold() != order.email.casefold():
        return "The order was placed from another address."
    if claim.requested_on < order.ordered_on:
        return "The refund was asked for before the order was placed."
    if _late(claim):
        return f"The return period is over, but the cause is {claim.cause}."
    if claim.cause == "not_delivered" and order.delivered_on is not None:
        return f"The order counts as delivered on {order.delivered_on}."
    if amount.currency != LIMIT.currency or amount.minor > LIMIT.minor:
        return f"The amount is over {_shown(LIMIT.minor, LIMIT.currency)}."
    return None


def _late(claim: Claim) -> bool:
    delivered = claim.order.delivered_on
    return delivered is not None and claim.requested_on - delivered > RETURN_PERIOD


class Notices:
    """Writes to customers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.TELL_CUSTOMER)
    def tell_customer(self, notice: Notice) -> Sent:
        """Tell the customer what was decided, and why."""
        if notice.paid:
            money = notice.paid.amount
            said = f"We have paid back {_shown(money.minor, money.currency)} for your order {notice.order}."
        else:
            said = f"We cannot refund your order {notice.order}. {notice.decision.reason}"
        subject = f"Your refund request {notice.request}"
        text = f"Hello,\n\n{said}\n\nYour customer care\n"
        return Sent(message=self._transport.send(notice.email, subject, text, effect_key()))


def _shown(minor: int, currency: str) -> str:
    # ISO 4217: these have no smaller unit, three-digit ones are not sold in.
    return f"{minor} {currency}" if currency in ("JPY", "KRW") else f"{minor / 100:.2f} {currency}"
