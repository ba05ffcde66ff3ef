"""Wrapper: a member made of a member."""

from typing import ClassVar

from pydantic import Field

from kit.member import Member
from kit.members.trees.boost import Boost
from kit.rows import Rows
from kit.task import Task


class Wrapper(Member):
    """A member that fits another one. Its properties are those of the inner member.

    A new one gives `learn`, and what is not as the member within has it.
    """

    seeds_member: ClassVar[bool] = False  # True: the member's seed follows from its own, so another seed of it will do
    member: Member = Field(Boost(), description="the inner member")

    @property
    def early_stops_on_valid(self) -> bool:
        return self.member.early_stops_on_valid

    @property
    def uses_metric(self) -> bool:
        return self.member.uses_metric

    @property
    def is_random(self) -> bool:
        return self.member.is_random

    @property
    def uses_weights(self) -> bool:
        return self.member.uses_weights

    @property
    def reads_only_images(self) -> bool:
        return self.member.reads_only_images

    @property
    def prepares(self) -> str:
        return self.member.prepares

    def check(self, task: Task) -> None:
        self.member.check(task)

    def prepare(self, rows: Rows) -> None:
        self.member.prepare(rows)
