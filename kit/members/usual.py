"""The members that a first look at any competition takes."""

from importlib.util import find_spec

from kit.member import Member
from kit.members.embedding import Embedding
from kit.members.estimator.estimator import Estimator
from kit.members.linear import Linear
from kit.members.nbsvm import NBSVM
from kit.members.tabular.realmlp import RealMLP
from kit.members.tabular.tabm import TabM
from kit.members.trees.boost import Boost
from kit.members.trees.catboost import CatBoost
from kit.members.trees.xgboost import XGBoost
from kit.task import Task

FEW_ROWS = 50_000  # train rows: beyond, networks of tables and forests take hours on a CPU


def usual_members(task: Task, rows: int) -> dict[str, Member]:
    """Unlike members with their defaults, which a blend profits from: trees, networks, linear models.

    They need no weights but those that Embedding finds for pictures; libraries of trees that are not installed are left
    out.

    Args:
        task: with the columns that are `inputs`.
        rows: number of train rows.
    """
    values = task.kind == "regression"
    if task.images:
        frozen = (Embedding(),)
        return {"linear": Linear(features=frozen, C=0.01), "boost": Boost(features=frozen)}
    members: dict[str, Member] = {"linear": Linear(), "boost": Boost()}
    if task.text and not values:
        members["nbsvm"] = NBSVM()
    if task.has_columns and rows <= FEW_ROWS:
        forest = f"sklearn.ensemble.ExtraTrees{'Regressor' if values else 'Classifier'}"
        members["extra_trees"] = Estimator(forest, n_estimators=300, min_samples_leaf=3 if values else 2)
        members |= {
            name: made for name, made in {"xgboost": XGBoost(), "catboost": CatBoost()}.items() if find_spec(name)
        }
        members |= {"realmlp": RealMLP(), "tabm": TabM()}
    return members
