"""Articles for tests: files of every kind, and articles without files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from agents.knowledge import PUBLIC, Article, Statement


def article(key: str, *texts: str, **changes: Any) -> Article:
    """A public English article with these statements."""
    values: dict[str, Any] = {
        "id": key,
        "title": key,
        "version": "1",
        "numbered": True,
        "language": "en",
        "audience": frozenset({PUBLIC}),
        "valid_from": None,
        "valid_until": None,
        "statements": tuple(Statement(heading="", text=text) for text in texts),
        "file": f"{key}.md",
    }
    return Article(**{**values, **changes})


def day(text: str) -> date:
    """``2026-01-31``"""
    return date.fromisoformat(text)


def write_pdf(path: Path, *pages: list[str], title: str = "") -> None:
    """A PDF with these lines on its pages, as small as one can be."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        f"<< /Title ({title}) >>",
    ]
    for number, lines in enumerate(pages):
        shown = "".join(f"0 -16 Td ({line}) Tj\n" for line in lines)
        stream = f"BT /F1 12 Tf 50 800 Td\n{shown}ET"
        font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R"
            f" /Resources << /Font << /F1 {font} >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 3 0 R >>"
    count = len(objects) + 1
    data += f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(data)}\n%%EOF\n".encode()
    path.write_bytes(data)
