"""The replay gate: what today's code does with stored and living histories."""
