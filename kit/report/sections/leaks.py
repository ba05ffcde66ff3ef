"""Leaks: what tells the target in train and perhaps will not in test."""

from html import escape

from kit.evidence.leaks import FEWEST, find_leaks
from kit.report.data import ReportData
from kit.report.html import paragraph
from kit.report.plots import Figures


def body(data: ReportData, figures: Figures) -> str:
    """The findings as a list, or that there are none."""
    table = data.run.table
    if len(table.train) < FEWEST:
        return paragraph(f"Too few rows to look for leaks; it needs {FEWEST} train rows.")
    found = find_leaks(table, data.run.recipe.folds, quick=True)
    if not found:
        return paragraph("No column, order, id, date, group or equal row tells the target too well.")
    return "<ul>" + "".join(f"<li>{escape(leak.sentence)}</li>" for leak in found) + "</ul>"
