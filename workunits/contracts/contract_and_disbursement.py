"""What goes into a loan's contract and disbursement, what comes out, and what passes between its steps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from workunits.contracts.lending import Address, ApplicationNumber, Cents, Iban, Letter, Name, Sent, Terms
from workunits.contracts.offer_and_acceptance import OfferNumber
from workunits.core.errors import BusinessException
from workunits.core.personal import PERSONAL

ContractNumber = Annotated[str, StringConstraints(pattern=r"^K-[0-9]{1,12}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Accepted(BaseModel, frozen=True):
    """An offer was accepted: the contract is to be made and the money paid. The case."""

    application: ApplicationNumber
    offer: OfferNumber
    full_name: Annotated[Name, PERSONAL]
    email: Annotated[Address, PERSONAL]
    iban: Annotated[Iban, PERSONAL] = Field(description="The account that the money is to be paid to.")
    terms: Terms
    instalment: Cents = Field(description="A month, in cents.")
    accepted_on: date

    def paid(self, contract: Contract, paid: Paid) -> Letter:
        """The letter that says that the money is on its way."""
        says = f"We have paid {paid.payout.cents / 100:,.2f} EUR to your account under contract {contract.contract}."
        return self._letter("paid", says)

    def stopped(self) -> Letter:
        """The letter that says that nothing is paid."""
        return self._letter("contract", "We cannot pay the loan out at present. The contract binds neither of us.")

    def _letter(self, about: Literal["paid", "contract"], says: str) -> Letter:
        return Letter(application=self.application, full_name=self.full_name, email=self.email, about=about, says=says)


class Draft(BaseModel, frozen=True):
    """What a contract says."""

    application: ApplicationNumber
    offer: OfferNumber
    terms: Terms
    instalment: Cents

    @classmethod
    def of(cls, case: Accepted) -> Self:
        """What the accepted offer says."""
        return cls(application=case.application, offer=case.offer, terms=case.terms, instalment=case.instalment)


class Contract(BaseModel, frozen=True):
    """A contract, with the digest of exactly the text that is to be signed."""

    contract: ContractNumber
    draft: Draft
    digest: Digest


class Signed(BaseModel, frozen=True):
    """What the customer has signed."""

    contract: ContractNumber
    digest: Digest = Field(description="Of the text under the signature, as the signing service reports it.")
    signed_on: date


class Valid(BaseModel, frozen=True):
    """A contract whose signature stands under its very text."""

    contract: ContractNumber
    signed_on: date


class Destination(BaseModel, frozen=True):
    """The account that the money is to be paid to."""

    iban: Iban


class Release(BaseModel, frozen=True):
    """What the payments officer releases, and the second one above the limit."""

    application: ApplicationNumber
    contract: Contract
    valid: Valid
    iban: Iban
    payout: Cents = Field(description="Amount less fee, in cents.")

    @classmethod
    def of(cls, case: Accepted, contract: Contract, valid: Valid, to: Destination) -> Self:
        """What is to be paid under a signed contract."""
        payout = case.terms.amount * 100 - case.terms.fee
        return cls(application=case.application, contract=contract, valid=valid, iban=to.iban, payout=payout)

    def as_payout(self) -> Payout:
        """The payment."""
        return Payout(application=self.application, contract=self.contract.contract, iban=self.iban, cents=self.payout)


class Released(BaseModel, frozen=True):
    """Whether the money may go out."""

    verdict: Literal["release", "stop"]
    reason: str = Field("", max_length=1000, description="Required when it is stopped.")

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.verdict == "stop" and not self.reason.strip():
            raise ValueError("a reason is required when it is stopped")
        return self


class Payout(BaseModel, frozen=True):
    """A payment that is to be made, once."""

    application: ApplicationNumber
    contract: ContractNumber
    iban: Iban
    cents: Cents


class Paid(BaseModel, frozen=True):
    """An entry in the ledger of payments."""

    payment: int = Field(ge=1)
    payout: Payout


class Reversed(BaseModel, frozen=True):
    """The entry that takes a payment back."""

    payment: int = Field(ge=1)
    of: int = Field(ge=1)


class Voided(BaseModel, frozen=True):
    """A contract that binds nobody."""

    contract: ContractNumber


class Activation(BaseModel, frozen=True):
    """A loan that is to be opened in the loan book."""

    contract: Contract
    paid: Paid


class Loan(BaseModel, frozen=True):
    """A loan in the loan book: instalments are collected from now on."""

    account: int = Field(ge=1)
    contract: ContractNumber


class Result(BaseModel, frozen=True):
    """How it ended: paid and active, or stopped by the payments officer."""

    verdict: Literal["disbursed", "stopped"]
    contract: ContractNumber
    paid: Paid | None = None
    loan: Loan | None = None
    letter: Sent


class SignatureMismatch(BusinessException, code="signature_mismatch"):
    """What was signed is not the text of the contract."""


class AccountRefused(BusinessException, code="account_refused"):
    """The account number fails its own check digits, or its bank does not take the payment."""


class BookingRefused(BusinessException, code="booking_refused"):
    """The loan book does not take the loan: the application already has an active one, or the sums differ."""
