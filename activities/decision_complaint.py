"""Who performs the steps of a complaint about a credit decision."""

from __future__ import annotations

import re
from pathlib import Path

from activities.decisions import register
from workunits.ai import Model
from workunits.catalog.decision_complaint import DecisionComplaint as Unit
from workunits.contracts.decision_complaint import (
    Decision,
    DecisionUnknown,
    Grievance,
    Reference,
    Reply,
    Summary,
)
from workunits.contracts.lending import Sent
from workunits.messages import Transport
from workunits.performs import effect_key, performs

INSTRUCTIONS = (
    "You help a bank's complaint handler, who decides. Say in two or three sentences what the complainant is unhappy "
    "with, and list what they say is wrong, one claim each, in their own sense. Judge nothing, and add nothing that "
    "is not in the data."
)
REMEDIES = {
    "none": "",
    "decide_again": " We will decide on your application again.",
    "apology": " We apologise to you.",
    "better_terms": " You will receive a new offer on better terms.",
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class Decisions:
    """Looks decisions up."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @performs(Unit.FIND_DECISION)
    def find_decision(self, reference: Reference) -> Decision:
        """Find the latest decision on an application.

        Raises:
            DecisionUnknown: there is none of this number.
        """
        with register(self._data) as db:
            sql = "SELECT * FROM decisions WHERE application = ? ORDER BY entry DESC LIMIT 1"
            row = db.execute(sql, (reference.application,)).fetchone()
        if row is None:
            raise DecisionUnknown
        return Decision.model_validate({name: row[name] for name in Decision.model_fields})


class Reader:
    """Sums complaints up."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @performs(Unit.SUMMARISE)
    async def summarise(self, grievance: Grievance) -> Summary:
        """Ask the model. It is shown the words and the decision, not who wrote them."""
        sentences = [part[:300] for part in _SENTENCE.split(grievance.words)]
        made_up = Summary(
            says=f"Made up by the test model, no AI has looked at this: {len(sentences)} sentence(s) were written.",
            claims=tuple(sentences[:8]),
        )
        return await self._model.ask(INSTRUCTIONS, grievance, Summary, test_answer=made_up)


class Answers:
    """Writes to complainants."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @performs(Unit.SEND_ANSWER)
    def send_answer(self, reply: Reply) -> Sent:
        """Send the answer, with its reason and its remedy."""
        finding = reply.finding
        verdict = "We agree with your complaint." if finding.verdict == "upheld" else "We stand by our decision."
        says = f"{verdict} {finding.reason}{REMEDIES[finding.remedy]}"
        text = f"Dear {reply.full_name},\n\n{says}\n\nSomebody who had no part in the decision has looked at it.\n"
        subject = f"Your complaint {reply.complaint}"
        return Sent(message=self._transport.send(reply.email, subject, text, effect_key()))
