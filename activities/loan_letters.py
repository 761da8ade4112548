"""The letters of the lending units: one form, under the key of the step that sends them."""

from __future__ import annotations

from workunits.contracts.lending import Letter, Sent
from workunits.messages import Transport
from workunits.performs import effect_key

SUBJECTS = {
    "received": "Your loan application {0}",
    "returned": "Your loan application {0}",
    "refused": "Our decision on your loan application {0}",
    "offer": "Our offer for your loan application {0}",
    "withdrawn": "Our offer for your loan application {0}",
    "contract": "Your loan contract, application {0}",
    "paid": "Your loan is paid out, application {0}",
    "complaint": "Your complaint about the decision on {0}",
}


def send(transport: Transport, letter: Letter) -> Sent:
    """Hand a letter over, once, however often the step is attempted."""
    subject = SUBJECTS[letter.about].format(letter.application)
    text = f"Dear {letter.full_name},\n\n{letter.says}\n\nYour lending team\n"
    return Sent(message=transport.send(letter.email, subject, text, effect_key()))
