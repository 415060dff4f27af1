"""Which encoding of a body a client takes.

Spec: RFC 9110, 12.5.3 (Accept-Encoding).
"""

from __future__ import annotations

from collections.abc import Sequence


def choose_encoding(accepted: str, offered: Sequence[str]) -> str:
    """Return the first of *offered* that the field *accepted* names with a weight above 0; empty for the body as it is.

    `*` stands for every name that the field does not have.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        key, _, value = parameter.strip().partition("=")
        weights[name.strip()] = _weight(value) if key.strip() == "q" else 1.0
    return next((name for name in offered if weights.get(name, weights.get("*", 0.0)) > 0), "")


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
