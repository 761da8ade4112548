"""Who performs the steps of a contract and its disbursement: contracts, the ledger of payments, the loan book."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities import loan_letters
from activities.local_store import transaction
from workunits.catalog.contract_and_disbursement import ContractAndDisbursement as Unit
from workunits.contracts.contract_and_disbursement import (
    AccountRefused,
    Activation,
    BookingRefused,
    Contract,
    Destination,
    Draft,
    Loan,
    Paid,
    Payout,
    Reversed,
    SignatureMismatch,
    Signed,
    Valid,
    Voided,
)
from workunits.contracts.lending import Letter, Sent
from workunits.messages import Transport
from workunits.performs import effect_key, performs

TABLES = """
CREATE TABLE IF NOT EXISTS contracts (
    contract TEXT PRIMARY KEY, digest TEXT NOT NULL, state TEXT NOT NULL, effect_key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS disbursements (
    payment INTEGER PRIMARY KEY, application TEXT NOT NULL, contract TEXT NOT NULL, iban TEXT NOT NULL,
    cents INTEGER NOT NULL, reverses INTEGER UNIQUE, effect_key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS loans (
    account INTEGER PRIMARY KEY, application TEXT NOT NULL UNIQUE, contract TEXT NOT NULL, cents INTEGER NOT NULL,
    effect_key TEXT NOT NULL UNIQUE)
"""
NO_BANK = "0000"
"""Digits five to eight of an account at a bank that takes no payments; in the sample data only."""


class Contracts:
    """The register of contracts, in a SQLite file."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.MAKE_CONTRACT)
    def make_contract(self, draft: Draft) -> Contract:
        """Enter the contract under the application's number, with the digest of its text, once.

        Raises:
            ApplicationError: the application has another contract that is not void.
        """
        # As it is written: L-7 and L-007 are two applications.
        key, number = effect_key(), draft.application.partition("-")[2]
        with transaction(self._file, TABLES) as db:
            row = db.execute("SELECT state, effect_key FROM contracts WHERE contract = ?", (number,)).fetchone()
            if row is not None and row[0] != "void" and row[1] != key:
                raise ApplicationError("there is a contract already", type="contract_exists", non_retryable=True)
            if row is None or row[1] != key:
                entry = (number, digest_of(draft), key)
                db.execute("INSERT OR REPLACE INTO contracts VALUES (?, ?, 'made', ?)", entry)
        return Contract(contract=f"K-{number}", draft=draft, digest=digest_of(draft))

    @performs(Unit.CHECK_SIGNATURE)
    def check_signature(self, signed: Signed) -> Valid:
        """Compare what was signed with what was to be signed.

        Raises:
            SignatureMismatch: it is another text, or a contract that is void, of another case, or not there.
        """
        case, _, _ = effect_key().rpartition("/")
        sql = "SELECT digest FROM contracts WHERE contract = ? AND state <> 'void' AND effect_key LIKE ? || '/%'"
        with transaction(self._file, TABLES) as db:
            row = db.execute(sql, (_number(signed), case)).fetchone()
            if row is None or row[0] != signed.digest:
                raise SignatureMismatch
            db.execute("UPDATE contracts SET state = 'signed' WHERE contract = ?", (_number(signed),))
        return Valid(contract=signed.contract, signed_on=signed.signed_on)

    @performs(Unit.VOID)
    def void(self, contract: Contract) -> Voided:
        """Let the contract bind nobody."""
        with transaction(self._file, TABLES) as db:
            db.execute("UPDATE contracts SET state = 'void' WHERE contract = ?", (_number(contract),))
        return Voided(contract=contract.contract)


def digest_of(draft: Draft) -> str:
    """The digest of a contract's text: whoever signs, signs exactly this."""
    return hashlib.sha256(draft.model_dump_json().encode()).hexdigest()


def _number(what: Contract | Signed) -> str:
    return what.contract.partition("-")[2]


class Payments:
    """The ledger of payments: nothing in it is changed or deleted, a mistake is reversed by an entry of its own."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.PAY_OUT)
    def pay_out(self, payout: Payout) -> Paid:
        """Enter the payment, exactly once: the step's key stands in the same transaction as the entry.

        Raises:
            ApplicationError: the key, or the contract, has another payment already.
        """
        key = effect_key()
        asked = (payout.application, payout.contract, payout.iban, payout.cents)
        with transaction(self._file, TABLES) as db:
            columns = "application, contract, iban, cents"
            there = db.execute(
                f"SELECT payment, {columns} FROM disbursements WHERE effect_key = ?",  # noqa: S608, our own words
                (key,),
            ).fetchone()
            if there is not None:
                if there[1:] != asked:
                    raise ApplicationError(f"{key} paid something else", type="key_reused", non_retryable=True)
                return Paid(payment=there[0], payout=payout)
            if _balance(db, payout.contract) > 0:
                raise ApplicationError("the contract is paid already", type="already_paid", non_retryable=True)
            sql = f"INSERT INTO disbursements ({columns}, effect_key) VALUES (?, ?, ?, ?, ?)"  # noqa: S608, our own words
            entry = db.execute(sql, (*asked, key)).lastrowid
        return Paid(payment=int(entry or 0), payout=payout)

    @performs(Unit.REVERSE)
    def reverse(self, paid: Paid) -> Reversed:
        """Take a payment back by an entry against it, once."""
        payout = paid.payout
        with transaction(self._file, TABLES) as db:
            there = db.execute("SELECT payment FROM disbursements WHERE reverses = ?", (paid.payment,)).fetchone()
            if there is None:
                entry = (payout.application, payout.contract, payout.iban, -payout.cents, paid.payment, effect_key())
                sql = "INSERT INTO disbursements VALUES (NULL, ?, ?, ?, ?, ?, ?)"
                there = (db.execute(sql, entry).lastrowid,)
        return Reversed(payment=int(there[0]), of=paid.payment)


def _balance(db: sqlite3.Connection, contract: str) -> int:
    paid = db.execute("SELECT coalesce(sum(cents), 0) FROM disbursements WHERE contract = ?", (contract,))
    return int(paid.fetchone()[0])


@performs(Unit.CHECK_ACCOUNT)
def check_account(to: Destination) -> Destination:
    """Check the account before anybody releases a payment to it.

    Raises:
        AccountRefused: its number fails its check digits, or its bank takes no payments.
    """
    if not holds(to.iban) or to.iban[4:8] == NO_BANK:
        raise AccountRefused
    return to


def holds(iban: str) -> bool:
    """Whether an account number holds up to its check digits (ISO 13616: modulo 97 is one)."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


class LoanBook:
    """The loan book: the loans whose instalments are collected."""

    def __init__(self, data: Path) -> None:
        self._file = data / "lending.sqlite"

    @performs(Unit.ACTIVATE)
    def activate(self, activation: Activation) -> Loan:
        """Open the loan, once.

        Raises:
            BookingRefused: the application has an active loan, or what was paid is not what the contract says.
        """
        draft, contract, key = activation.contract.draft, activation.contract.contract, effect_key()
        due = draft.terms.amount * 100 - draft.terms.fee
        with transaction(self._file, TABLES) as db:
            there = db.execute("SELECT account FROM loans WHERE effect_key = ?", (key,)).fetchone()
            if there is None:
                taken = db.execute("SELECT 1 FROM loans WHERE application = ?", (draft.application,)).fetchone()
                if taken or _balance(db, contract) != due:
                    raise BookingRefused
                sql = "INSERT INTO loans (application, contract, cents, effect_key) VALUES (?, ?, ?, ?)"
                there = (db.execute(sql, (draft.application, contract, due, key)).lastrowid,)
        return Loan(account=int(there[0]), contract=contract)


class ContractLetters:
    """Writes to customers about their contracts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.TELL)
    def tell(self, letter: Letter) -> Sent:
        """Tell the customer that the money is paid, or that it is not."""
        return loan_letters.send(self._transport, letter)
