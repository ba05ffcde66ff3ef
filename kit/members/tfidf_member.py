"""TfidfMember: what members on tf-idf of words and characters have in common."""

from pydantic import Field

from kit.member import Member
from kit.rows import Rows
from kit.task import Task
from kit.text import Tfidf


class TfidfMember(Member):
    """Base class of linear models on tf-idf. A new one implements `learn`."""

    word: Tfidf | None = Field(
        Tfidf(ngram_range=(1, 2), tokens="script", min_df=3, sublinear_tf=True, strip_accents="unicode"),
        description="words of the text, or none",
    )
    char: Tfidf | None = Field(None, description="characters of the text, or none")
    balanced: bool = Field(False, description="class weights, so all classes count the same")
    tol: float = Field(3e-3, gt=0, description="the solver stops at this share of the first gradient's norm")

    @property
    def is_random(self) -> bool:
        return False  # the problem is convex, and nothing is drawn

    @property
    def uses_weights(self) -> bool:
        return True

    @property
    def prepares(self) -> str:
        return "n-grams"

    def prepare(self, rows: Rows) -> None:
        for view in self.views(rows.task):
            view.counts(rows)

    def views(self, task: Task) -> list[Tfidf]:
        """The tf-idf settings in use; none for a task without text."""
        return [view for view in (self.word, self.char) if view is not None and task.text]
