"""`python -m observability.dashboards`: write the dashboards to where Grafana is told to find them."""

from __future__ import annotations

from observability.dashboards.files import FOLDER, rendered

for name, text in rendered().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
