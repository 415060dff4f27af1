"""The configuration grammar, slow and obvious: one character at a time, no places, no includes, no hints."""

from __future__ import annotations

from fastflv.config.grammar.directive import Directive


class Refused(Exception):
    """The text breaks the grammar."""


def lex(text: str) -> list[str | tuple[str]]:
    """Cut *text* into marks (";", "{", "}", "\\n") and words, each word as a 1-tuple."""
    found: list[str | tuple[str]] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t":
            at += 1
        elif char in "\r\n;{}":
            found.append("\n" if char in "\r\n" else char)
            at += 1
        elif char == "#":
            while at < len(text) and text[at] not in "\r\n":
                at += 1
        elif char in "'\"":
            word = ""
            at += 1
            while True:
                if at >= len(text) or text[at] in "\r\n":
                    raise Refused
                if text[at] == char:
                    break
                word += text[at]
                at += 1
            at += 1
            if at < len(text) and text[at] not in " \t\r\n;{":
                raise Refused
            found.append((word,))
        else:
            word = ""
            while at < len(text) and text[at] not in " \t\r\n;{":
                word += text[at]
                at += 1
            found.append((word,))
    return found


def parse(text: str) -> Directive:
    """The root of *text*; raises Refused."""
    if "\0" in text or text.startswith("\ufeff"):
        raise Refused
    tokens = lex(text)

    def children(inside: bool) -> tuple[Directive, ...]:
        statements = []
        words: list[str] = []
        while tokens:
            token = tokens.pop(0)
            if isinstance(token, tuple):
                # An empty quoted string is no word.
                words += filter(None, token)
            elif token == "\n":
                if words:
                    raise Refused
            elif token == "}":
                if words or not inside:
                    raise Refused
                return tuple(statements)
            else:
                if not words:
                    raise Refused
                block = token == "{"
                name, *args = words
                words = []
                statements.append(Directive(name, tuple(args), children(True) if block else (), block))
        if words or inside:
            raise Refused
        return tuple(statements)

    return Directive("", (), children(False), True)


def quote(word: str) -> str:
    """*word* as it stands in a file; words with both kinds of quote and a mark in them cannot stand there."""
    if word[0] not in "'\"#}" and not any(char in " \t\r\n;{" for char in word):
        return word
    mark = "'" if '"' in word else '"'
    return mark + word + mark


def render(root: Directive, indent: str = "", newline: str = "\n") -> str:
    """A text whose parse is *root*."""
    text = ""
    for child in root.children:
        text += indent + " ".join(map(quote, (child.name, *child.args)))
        if child.block:
            text += " {" + newline + render(child, indent + "    ", newline) + indent + "}" + newline
        else:
            text += ";" + newline
    return text
