"""Writes help texts: paragraphs are wrapped, and lists and examples keep their lines."""

from typing import Any


def write_help(text: str, formatter: Any) -> None:
    """Write a help text with the formatter of the help.

    Args:
        text: Paragraphs and lists that are separated by empty lines. A list item begins with `- `, and its further
            lines are indented. Backquotes around an example are left out, so that it can be copied.
        formatter: The formatter, which wraps text to the width of the terminal.
    """
    with formatter.indentation():
        for block in text.replace("\r\n", "\n").strip().split("\n\n"):
            formatter.write_paragraph()
            for paragraph in _paragraphs(block):
                if paragraph.startswith("- `") and paragraph.endswith("`"):
                    formatter.write(f"{'':>{formatter.current_indent}}  {paragraph[3:-1]}\n")
                elif paragraph.startswith("- "):
                    formatter.write_text(f"  {paragraph[2:]}")
                else:
                    formatter.write_text(paragraph)


def _paragraphs(block: str) -> list[str]:
    """Return the lines of a block, joined with the lines that continue them."""
    joined: list[str] = []
    for line in block.splitlines():
        item = line.strip()
        if not joined or item.startswith("- ") or joined[-1].endswith(":"):
            joined.append(item)
        else:
            joined[-1] += f" {item}"
    return joined
