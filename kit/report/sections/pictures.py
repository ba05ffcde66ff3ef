"""The pictures of a competition of pictures, in contact sheets."""

from kit.report.data import ReportData
from kit.report.html import paragraph
from kit.report.picture_sheets import PREFIX, drawn_sheets
from kit.report.plots import Figures

SLUG = PREFIX.rstrip("-")


def body(data: ReportData, figures: Figures) -> str:
    """All sheets of the run, which are also written as PNG files; empty where rows have no pictures."""
    if not data.task.images:
        return ""
    parts = []
    for path, sheet in drawn_sheets(data, figures.folder, figures.debug):
        if isinstance(sheet, str):
            parts.append(paragraph(sheet, "fault"))
        else:
            figures.made.append(path.stem)
            parts.append(sheet.html(data.thumbnails))
    return "".join(parts) or paragraph("There is nothing to show yet.")
