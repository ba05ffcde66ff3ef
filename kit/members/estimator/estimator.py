"""Estimator: any estimator of scikit-learn as a member."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field
from scipy.sparse import hstack

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.threads import threads
from kit.features.base import Features
from kit.member import Member, Predictor
from kit.members.estimator.settings import EstimatorSettings
from kit.rows import Rows
from kit.tables.matrix import Matrix
from kit.task import Task
from kit.text.statistics import TextStatistics
from kit.text.tfidf import Tfidf, Vectorizer

MEMBER = ("seed", "words", "text", "features")  # settings of the member itself, not of its estimator
SAVED = ("sklearn.", "numpy.", "scipy.")  # only classes of these packages are read back from a file


class Estimator(Member):
    """Any classifier or regressor of scikit-learn: `Estimator("sklearn.ensemble.ExtraTreesClassifier", max_depth=9)`.

    It sees numeric columns standardised, categories one-hot and statistics of the text; where the task has text and no
    other column, tf-idf of the text. A task of several targets has one estimator for each, learnt from
    its known rows. An estimator's parameter may be an Estimator itself, such as what CalibratedClassifierCV calibrates.
    """

    version = 2

    estimator: EstimatorSettings = Field(description="the estimator and its parameters")
    words: Tfidf | None = Field(
        Tfidf(min_df=2, sublinear_tf=True, max_features=50_000),
        description="tf-idf, if the task has only text columns; none: statistics of the text",
    )
    text: bool = Field(True, description="statistics of the text columns as features")
    features: tuple[Features, ...] = Field((), description="more features")

    def __init__(self, name: str | None = None, /, **settings: Any) -> None:
        """A member of an estimator.

        Args:
            name: the estimator's class, with or without its module.
            settings: the estimator's parameters, and `words`, `text`, `features` and `seed` of the member.

        Raises:
            KitError: scikit-learn has no such class, or it has no such parameter or refuses its value.
        """
        if name is not None:
            own: dict[str, Any] = {key: settings.pop(key) for key in MEMBER if key in settings}
            parameters = {k: v.estimator if isinstance(v, Estimator) else v for k, v in settings.items()}
            settings = own | {"estimator": EstimatorSettings(of=name, **parameters)}
        super().__init__(**settings)

    @property
    def uses_weights(self) -> bool:
        from sklearn.utils.validation import has_fit_parameter

        return bool(has_fit_parameter(self.estimator.build(), "sample_weight"))

    @property
    def is_random(self) -> bool:
        return self.estimator.seeded

    def described(self, task: Task) -> tuple[Features, ...]:
        """All features beside the plain columns."""
        return (*([TextStatistics()] if self.text and task.text else []), *self.features)

    def reads_words(self, rows: Rows) -> bool:
        """Whether it reads tf-idf of the text: there is text and nothing else."""
        return self.words is not None and not self.features and set(rows.source.frame.columns) == {*rows.task.text}

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.described(task)) or self.words is not None

    def check(self, task: Task) -> None:
        super().check(task)
        _check_kind(self.estimator, task)

    def prepare(self, rows: Rows) -> None:
        if self.words is not None and self.reads_words(rows):
            self.words.counts(rows)
        else:
            for features in self.described(rows.task):
                features.prepare(rows)

    def learn(self, train: Rows, valid: Rows, work: Path) -> "EstimatorPredictor":
        """Fits one estimator a target.

        Raises:
            KitError: the estimator predicts no probabilities, or it is for another kind of task.
        """
        self.check(train.task)
        train = train.weighted()
        if self.words is not None and self.reads_words(train):
            predictor = EstimatorPredictor(self, self.words.fit(train), None, [])
            x = predictor.inputs(train)
        else:
            matrix, numbers = Matrix.fit(train, self.described(train.task))
            predictor, x = EstimatorPredictor(self, None, matrix, []), numbers.toarray()
        for labels in train.labels.T:
            known = ~np.isnan(labels)
            y, seen, weight = labels[known], x if known.all() else x[known], train.weight
            values = np.unique(y)
            if len(values) == 1 and train.task.kind != "regression":  # a fold without one of the labels
                predictor.models.append(float(values[0]))
                continue
            model = self.estimator.build(self.seed)
            y = y if train.task.kind == "regression" else y.astype(int)
            predictor.models.append(_fitted(model, seen, y, None if weight is None else weight[known]))
        return predictor


class EstimatorPredictor(Predictor):
    """Fitted estimators, one a target, and how rows become their inputs.

    Args:
        spec: the member.
        vectorizer: tf-idf of the text, or None.
        matrix: numbers of the columns where there is no vectorizer.
        models: a fitted estimator a target, or the one label that its train rows had.
    """

    def __init__(
        self, spec: Estimator, vectorizer: Vectorizer | None, matrix: Matrix | None, models: Sequence[Any]
    ) -> None:
        self.spec, self.vectorizer, self.matrix, self.models = spec, vectorizer, matrix, list(models)

    def inputs(self, rows: Rows) -> Any:
        """(n, columns) of the rows; sparse where they are words and the estimator takes them so."""
        if self.vectorizer is None:
            assert self.matrix is not None
            return self.matrix.transform(rows).toarray()
        sparse = self.vectorizer.transform(rows)
        tags = self.spec.estimator.build().__sklearn_tags__().input_tags
        return hstack([sparse], format="csr", dtype=np.float64) if tags.sparse else sparse.toarray().astype(np.float64)

    def predict(self, rows: Rows) -> np.ndarray:
        x, kind = self.inputs(rows), rows.task.kind
        if kind == "multiclass":
            return _probabilities(self.models[0], x, rows.task.outputs)
        if kind == "regression":
            return np.stack([model.predict(x) for model in self.models], axis=1)
        return np.stack([_probabilities(model, x, 2)[:, 1] for model in self.models], axis=1)

    def save(self, folder: Path) -> None:
        skops = _skops()
        write_json(
            folder / "kit.json",
            {
                "spec": self.spec.to_dict(),
                "models": [model if isinstance(model, float) else None for model in self.models],
            },
        )
        if self.vectorizer:
            self.vectorizer.save(folder, "tfidf")
        if self.matrix:
            (folder / "matrix").mkdir()
            self.matrix.save(folder / "matrix")
        for i, model in enumerate(self.models):
            if not isinstance(model, float):
                skops.dump(model, folder / f"model{i}.skops")

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "kit.json")
        spec = Estimator.from_dict(saved["spec"])
        models = [
            read_model(folder / f"model{i}.skops") if label is None else label
            for i, label in enumerate(saved["models"])
        ]
        if (folder / "matrix").is_dir():
            return cls(spec, None, Matrix.load(folder / "matrix"), models)
        return cls(spec, Vectorizer.load(folder, "tfidf"), None, models)


def read_model(path: Path) -> Any:
    """A fitted estimator from a file of skops, which holds no code.

    Raises:
        KitError: it holds a class that is none of scikit-learn's.
    """
    skops = _skops()
    unknown = skops.get_untrusted_types(file=path)
    if strange := [name for name in unknown if not name.startswith(SAVED)]:
        raise KitError(f"{path}: holds a class '{strange[0]}', which is none of scikit-learn's; it is not read")
    return skops.load(path, trusted=unknown)


def _fitted(model: Any, x: Any, y: np.ndarray, weight: np.ndarray | None) -> Any:
    parallel = type(model).__module__.startswith("sklearn.ensemble") and getattr(model, "n_jobs", 1) is None
    if parallel:
        model.set_params(n_jobs=threads())
    model.fit(x, y, **({} if weight is None else {"sample_weight": weight}))
    if parallel:  # threads of a forest add up its trees' predictions in no fixed order: the last bits would differ
        model.set_params(n_jobs=None)
    return model


def _skops() -> Any:
    try:
        return importlib.import_module("skops.io")
    except ImportError:
        raise KitError("Estimator saves models with the extra 'sklearn': pip install 'kit[sklearn]'") from None


def _probabilities(model: Any, x: Any, classes: int) -> np.ndarray:
    """(n, classes) of a fitted classifier, 0 of classes that it has not seen; or of the one label there was."""
    p = np.zeros((x.shape[0], classes))
    if isinstance(model, float):
        p[:, int(model)] = 1.0
    else:
        p[:, model.classes_] = model.predict_proba(x)
    return p


def _check_kind(settings: EstimatorSettings, task: Task) -> None:
    from sklearn.base import is_classifier

    model = settings.build()
    name, wanted = type(model).__name__, "regressor" if task.kind == "regression" else "classifier"
    if is_classifier(model) != (wanted == "classifier"):
        raise KitError(f"Estimator: {name} is no {wanted}, and task '{task.name}' is {task.kind}")
    if wanted == "classifier" and not hasattr(model, "predict_proba"):
        raise KitError(
            f"Estimator: {name} predicts no probabilities; calibrate it: "
            f'Estimator("CalibratedClassifierCV", estimator=Estimator("{name}"))'
        )
