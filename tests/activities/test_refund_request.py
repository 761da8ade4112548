"""The performers of a refund, run directly."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities import refund_request as performers
from workunits.contracts.refund_request import (
    AlreadyRefunded,
    Claim,
    Decision,
    Money,
    Notice,
    Order,
    OrderNumber,
    OrderUnknown,
    Paid,
    Payment,
)

ORDER = Order(
    order="R-1001",
    email="ana@example.com",
    cost=Money(minor=20_000, currency="EUR"),
    ordered_on=date(2025, 5, 1),
    delivered_on=date(2025, 5, 6),
    refunded_minor=0,
)
CLAIM = Claim(
    order=ORDER,
    amount=Money(minor=4_990, currency="EUR"),
    cause="damaged",
    requested_on=date(2025, 5, 20),
    email="ana@example.com",
)


def _ledger(folder: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "shop.sqlite")) as db:
        return db.execute("SELECT order_id, amount_minor, currency, effect_key FROM payments").fetchall()


def test_the_shipped_orders_are_there_on_first_use(tmp_path: Any) -> None:
    """A new data folder starts with the demo orders, once, whoever opens it."""
    for _ in range(2):
        order = performers.Shop(tmp_path).find_order(OrderNumber(order="R-1012"))
        assert order.cost == Money(minor=20_000, currency="EUR")
        assert order.refunded_minor == 5_000
    assert performers.Shop(tmp_path).find_order(OrderNumber(order="R-1008")).delivered_on is None
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM orders").fetchone() == (20,)


@pytest.mark.parametrize("number", ["R-9999", "' OR 1=1 --", "r-1001", "R-1001; DROP TABLE orders"])
def test_an_order_that_is_not_there_is_a_business_exception(number: str, tmp_path: Any) -> None:
    """An unknown number is raised by name, whatever it looks like."""
    shop = performers.Shop(tmp_path)
    with pytest.raises(OrderUnknown):
        shop.find_order(OrderNumber(order=number))
    assert shop.find_order(OrderNumber(order="R-1001")).order == "R-1001"


def test_a_damaged_order_fails_technically(tmp_path: Any) -> None:
    """A row that cannot be read names its column, and is no business exception."""
    with pytest.raises(ValueError, match="the order table is damaged: delivered_on of R-1013"):
        performers.Shop(tmp_path).find_order(OrderNumber(order="R-1013"))


def _claim(order: dict[str, Any] | None = None, **change: Any) -> Claim:
    return CLAIM.model_copy(update={"order": ORDER.model_copy(update=order or {}), **change})


def _euros(minor: int) -> Money:
    return Money(minor=minor, currency="EUR")


@pytest.mark.parametrize(
    ("claim", "verdict", "reason"),
    [
        (CLAIM, "pay", "up to 100.00 EUR"),
        (_claim(amount=_euros(10_000)), "pay", "up to"),
        (_claim(amount=_euros(10_001)), "ask", "over 100.00 EUR"),
        (_claim(amount=_euros(20_001)), "refuse", "At most 200.00 EUR"),
        (_claim({"refunded_minor": 16_000}), "refuse", "At most 40.00 EUR"),
        (_claim({"refunded_minor": 20_000}), "refuse", "refunded in full"),
        (_claim({"refunded_minor": 30_000}), "refuse", "refunded in full"),
        (_claim(amount=Money(minor=100, currency="USD")), "refuse", "paid in EUR"),
        (_claim(requested_on=date(2025, 6, 5), cause="not_wanted"), "pay", "In time"),
        (_claim(requested_on=date(2025, 6, 6), cause="not_wanted"), "refuse", "30 days is over"),
        (_claim(requested_on=date(2025, 6, 6)), "ask", "the cause is damaged"),
        (_claim(requested_on=date(2025, 4, 30)), "ask", "before the order"),
        (_claim(email="eve@example.com"), "ask", "another address"),
        (_claim(email="ANA@example.com"), "pay", "In time"),
        (_claim(cause="not_delivered"), "ask", "counts as delivered"),
        (_claim({"delivered_on": None}, cause="not_delivered"), "pay", "In time"),
        (
            _claim({"cost": Money(minor=500, currency="USD")}, amount=Money(minor=500, currency="USD")),
            "ask",
            "over 100.00 EUR",
        ),
    ],
)
def test_the_policy_rules(claim: Claim, verdict: str, reason: str) -> None:
    """Each rule of the policy, on both sides of its edge."""
    ruling = performers.apply_policy(claim)
    assert ruling.verdict == verdict
    assert reason in ruling.reason


def test_paying_twice_pays_once(tmp_path: Any, attempt: Any) -> None:
    """A second attempt of the step adds no entry to the ledger."""
    payment = Payment(order="R-1001", amount=_euros(4_990))
    first = attempt(performers.Shop(tmp_path).pay, payment, case="c", step="pay")
    again = attempt(performers.Shop(tmp_path).pay, payment, case="c", step="pay", number=2)
    assert first == again == Paid(payment=1, amount=_euros(4_990))
    assert _ledger(tmp_path) == [("R-1001", 4_990, "EUR", "c/pay")]


def test_rival_attempts_pay_once(tmp_path: Any, attempt: Any) -> None:
    """Thirty threads with one key pay once; the timed-out attempt that is still running counts too."""
    shop, payment = performers.Shop(tmp_path), Payment(order="R-1001", amount=_euros(100))
    with ThreadPoolExecutor(30) as pool:
        paid = list(pool.map(lambda _: attempt(shop.pay, payment, case="c", step="pay"), range(30)))
    assert {one.payment for one in paid} == {1}
    assert len(_ledger(tmp_path)) == 1


def test_two_requests_never_pay_more_than_the_order_cost(tmp_path: Any, attempt: Any) -> None:
    """The ledger stops the refund that another one has overtaken, also after the policy let both pass."""
    shop = performers.Shop(tmp_path)
    attempt(shop.pay, Payment(order="R-1012", amount=_euros(10_000)), case="a")
    with pytest.raises(AlreadyRefunded):
        attempt(shop.pay, Payment(order="R-1012", amount=_euros(5_001)), case="b")
    attempt(shop.pay, Payment(order="R-1012", amount=_euros(5_000)), case="c")
    assert [row[1] for row in _ledger(tmp_path)] == [10_000, 5_000]
    assert shop.find_order(OrderNumber(order="R-1012")).refunded_minor == 20_000


@pytest.mark.parametrize(
    ("payment", "code"),
    [
        (Payment(order="R-1001", amount=_euros(1)), "key_reused"),
        (Payment(order="R-1002", amount=_euros(100)), "key_reused"),
    ],
)
def test_a_key_pays_one_thing_only(payment: Payment, code: str, tmp_path: Any, attempt: Any) -> None:
    """The same key for another amount or order is a mistake, not a success."""
    shop = performers.Shop(tmp_path)
    attempt(shop.pay, Payment(order="R-1001", amount=_euros(100)))
    with pytest.raises(ApplicationError) as raised:
        attempt(shop.pay, payment)
    assert raised.value.type == code
    assert raised.value.non_retryable
    assert len(_ledger(tmp_path)) == 1


def test_an_order_that_has_changed_is_not_paid(tmp_path: Any, attempt: Any) -> None:
    """An order that is gone, or in another currency, since it was found is a technical failure."""
    performers.Shop(tmp_path).find_order(OrderNumber(order="R-1001"))
    for payment in (
        Payment(order="R-9999", amount=_euros(100)),
        Payment(order="R-1001", amount=Money(minor=100, currency="USD")),
    ):
        with pytest.raises(ApplicationError) as raised:
            attempt(performers.Shop(tmp_path).pay, payment)
        assert raised.value.type == "order_changed"
    assert _ledger(tmp_path) == []


@pytest.mark.parametrize(
    ("decision", "paid", "said"),
    [
        (Decision(verdict="pay"), Paid(payment=1, amount=_euros(4_990)), "49.90 EUR"),
        (Decision(verdict="pay"), Paid(payment=1, amount=Money(minor=500, currency="JPY")), "500 JPY"),
        (Decision(verdict="refuse", reason="Too late."), None, "cannot refund your order R-1001. Too late."),
    ],
)
def test_the_notice_says_what_was_done(
    decision: Decision, paid: Paid | None, said: str, transport: Any, attempt: Any
) -> None:
    """Each decision has its notice, under the step's key."""
    notice = Notice(request="RR-1", order="R-1001", email="ana@example.com", decision=decision, paid=paid)
    attempt(performers.Notices(transport).tell_customer, notice, case="c", step="tell_customer")
    to, subject, body, key = transport.sent[0]
    assert (to, subject, key) == ("ana@example.com", "Your refund request RR-1", "c/tell_customer")
    assert said in body


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_refusal_needs_a_reason(reason: str) -> None:
    """Refusing without a reason is not a decision."""
    with pytest.raises(ValidationError, match="a reason is required"):
        Decision(verdict="refuse", reason=reason)


@pytest.mark.parametrize("minor", [0, -1, 100_000_001])
def test_amounts_have_bounds(minor: int) -> None:
    """Nothing, less than nothing and more than a million are not refunds."""
    with pytest.raises(ValidationError):
        Money(minor=minor, currency="EUR")
