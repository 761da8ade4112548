"""Contract and disbursement: make the contract, have it signed, pay the money once, and open the loan.

It is achieved when the money is paid and the loan is active: one without the other is worse than neither, so what
was done is undone, the payment by a reversal in the ledger, as soon as a later step says no.
"""

from workunits.contracts.contract_and_disbursement import (
    Accepted,
    AccountRefused,
    Activation,
    BookingRefused,
    Contract,
    Destination,
    Draft,
    Loan,
    Paid,
    Payout,
    Release,
    Released,
    Result,
    Reversed,
    SignatureMismatch,
    Signed,
    Valid,
    Voided,
)
from workunits.contracts.lending import Letter, Sent, band
from workunits.core.spec import (
    Learning,
    Measure,
    On,
    Outcome,
    Pause,
    Quality,
    Rate,
    Target,
    automated,
    elapsed,
    human,
    working_days,
    working_hours,
)
from workunits.core.unit import WorkUnit

FORTNIGHT = elapsed(days=14)
"""For so long a customer's answer is waited for."""
LARGE = 20_000
"""Above this amount, in whole euros, a second person releases the payment, too."""


class ContractAndDisbursement(WorkUnit, name="contract_and_disbursement", version="1", key="application"):
    """Make the contract, check its signature, release and pay, open the loan; or undo all of it."""

    stream = "lending"
    outcome = Outcome(
        Result,
        "The money is on the customer's account and the loan is active within 3 working days of the bank's own time.",
        achieved=lambda result: result.verdict == "disbursed",
        within=Target(working_days(3), calendar="back-office", pauses=(Pause("customer", cap=elapsed(days=30)),)),
        accountable="head of loan operations",
        quality=(Quality("payments_returned", within=elapsed(days=30), stands=lambda found: found == 0),),
    )
    learning = Learning(
        owner="head of loan operations",
        review=elapsed(days=30),
        measures=(
            Measure("on_time", at_least=0.98, baseline="the first 100 cases of version 1"),
            Measure("first_pass_yield", at_least=0.95, baseline="the bank's log of 2012"),
            Measure("handoffs", at_most=5, baseline="the first 100 cases of version 1"),
        ),
        rates={"payments officer": Rate(46), "senior payments officer": Rate(58)},
        segment=lambda case: band(case.terms.amount),
    )

    VOID = automated("void", Contract, Voided)
    MAKE_CONTRACT = automated("make_contract", Draft, Contract, compensated_by=VOID)
    SIGN = human("sign", Contract, Signed, role="customer", external=True, decides=False, expires=FORTNIGHT)
    CHECK_SIGNATURE = automated("check_signature", Signed, Valid, raises=(SignatureMismatch,))
    SIGN_AGAIN = human("sign_again", Signed, Signed, role="customer", external=True, decides=False, expires=FORTNIGHT)
    CHECK_ACCOUNT = automated("check_account", Destination, Destination, raises=(AccountRefused,), inline=True)
    CORRECT_ACCOUNT = human(
        "correct_account", Destination, Destination, role="customer", external=True, decides=False, expires=FORTNIGHT
    )
    RELEASE = human(
        "release",
        Release,
        Released,
        role="payments officer",
        accountable="head of loan operations",
        finish_by=Target(working_hours(8), calendar="back-office"),
    )
    RELEASE_LARGE = human(
        "release_large",
        Release,
        Released,
        role="senior payments officer",
        accountable="head of loan operations",
        excludes=(RELEASE,),
    )
    REVERSE = automated("reverse", Paid, Reversed)
    PAY_OUT = automated(
        "pay_out",
        Payout,
        Paid,
        after="incident",
        compensated_by=REVERSE,
        approved_by=RELEASE,
        shown=lambda asked: asked.as_payout(),
    )
    ACTIVATE = automated("activate", Activation, Loan, raises=(BookingRefused,), after="incident")
    TELL = automated("tell", Letter, Sent)

    rules = (
        On(SignatureMismatch, CHECK_SIGNATURE, repair=SIGN_AGAIN, times=1, compensate=True),
        On(AccountRefused, CHECK_ACCOUNT, repair=CORRECT_ACCOUNT, times=1, compensate=True),
        On(BookingRefused, ACTIVATE, compensate=True),
    )

    async def work(self, case: Accepted) -> Result:
        """Bring the loan to the customer."""
        contract = await self.perform(self.MAKE_CONTRACT, Draft.of(case))
        valid = await self.perform(self.CHECK_SIGNATURE, await self.perform(self.SIGN, contract))
        to = await self.perform(self.CHECK_ACCOUNT, Destination(iban=case.iban))
        asked = Release.of(case, contract, valid, to)
        released = await self.perform(self.RELEASE, asked)
        if released.verdict == "release" and case.terms.amount > LARGE:
            released = await self.perform(self.RELEASE_LARGE, asked)
        if released.verdict == "stop":
            await self.compensate()
            letter = await self.perform(self.TELL, case.stopped())
            return Result(verdict="stopped", contract=contract.contract, letter=letter)
        paid = await self.perform(self.PAY_OUT, asked.as_payout())
        loan = await self.perform(self.ACTIVATE, Activation(contract=contract, paid=paid))
        letter = await self.perform(self.TELL, case.paid(contract, paid))
        return Result(verdict="disbursed", contract=contract.contract, paid=paid, loan=loan, letter=letter)
