"""Supplier invoice, version 2: what the purchase rule decides is decided; a budget owner has the rest."""

from demos.invoices.contracts import Booked, Coding, Invoice, Match, Matched, Question, Release, Settled
from workunits.core.spec import Learning, Measure, Outcome, Quality, Rate, automated, elapsed, human
from workunits.core.unit import WorkUnit


class SupplierInvoice(WorkUnit, name="supplier_invoice", version="2", key="invoice"):
    """Match the invoice with its order, code it, have it released where the rule leaves that open, book it."""

    outcome = Outcome(
        Settled,
        "The invoice is booked for payment, or returned with a reason, within 5 days.",
        achieved=lambda settled: (settled.release.verdict == "release") == (settled.booked is not None),
        within=elapsed(days=5),
        accountable="head of finance",
        quality=(Quality("as_the_rule_says", of_result=lambda settled: settled.ruled == settled.release.verdict),),
    )
    learning = Learning(
        owner="head of finance",
        review=elapsed(days=30),
        measures=(
            Measure("cycle_time", at_most=elapsed(days=2), at="median", baseline="the first weeks of version 1"),
            Measure("on_time", at_least=0.95, baseline="the first weeks of version 1"),
        ),
        rates={"accounts clerk": Rate(34), "budget owner": Rate(85)},
        segment=lambda case: case.size,
    )
    facts = ("size",)

    MATCH = automated("match", Invoice, Match, decides=True, accountable="head of finance")
    CODE = human("code", Matched, Coding, role="accounts clerk", decides=False)
    RELEASE = human("release", Question, Release, role="budget owner", accountable="head of finance")
    BOOK = automated("book", Question, Booked)

    async def work(self, case: Invoice) -> Settled:
        """Settle the invoice."""
        match = await self.perform(self.MATCH, case)
        coding = await self.perform(self.CODE, Matched(invoice=case, match=match))
        question = Question(invoice=case, match=match, coding=coding)
        if match.verdict == "ask":
            release = await self.perform(self.RELEASE, question)
        else:
            release = Release(verdict=match.verdict, reason=match.reason)
        booked = await self.perform(self.BOOK, question) if release.verdict == "release" else None
        return Settled(ruled=match.verdict, release=release, booked=booked)
