"""Functions and classes as settings."""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.core.source_digest import source_digest
from kit.core.spec import Spec


def double(x: float) -> float:
    return 2 * x


def triple(x: float) -> float:
    return 3 * x


class Body:
    width = 3


class Uses(Spec):
    build: Callable[..., Any] = double
    more: tuple[Callable[..., Any], ...] = ()
    anything: Any = None


class Outer(Spec):
    uses: Uses = Uses()
    several: tuple[Uses, ...] = ()


def refused(call: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(KitError) as error:
        call(*given, **named)
    assert "\n" not in str(error.value)
    return str(error.value)


def through_json(spec: Spec) -> Any:
    return type(spec).from_dict(json.loads(json.dumps(spec.to_dict())))


@pytest.mark.parametrize("value", [double, Body, np.mean, len, lambda x: x + 1, functools.partial(double, x=3)])
def test_functions_and_classes_round_trip(value: Any) -> None:
    spec = Uses(build=value, more=(triple, value))
    assert through_json(spec) == spec and through_json(Outer(several=(spec,))).several[0].build is value
    assert "0x" not in json.dumps(spec.to_dict()) and json.dumps(spec.identity()) == json.dumps(spec.identity())


def test_identity_goes_by_the_code() -> None:
    keys = [Uses(build=f).fingerprint() for f in (double, triple, lambda x: x, lambda x: -x, Body)]
    assert len({*keys}) == 5
    assert Uses().identity()["build"] == {"function": "double", "source_digest": source_digest(double)}


def test_a_function_of_the_recipe_is_found_before_settings_hold_it() -> None:
    saved = Uses().to_dict() | {"build": {"function": "unheld", "source_digest": source_digest(unheld)}}
    assert Uses.from_dict(saved).build is unheld


def unheld(x: float) -> float:
    return x - 1


def test_a_function_that_was_never_met_is_refused() -> None:
    def saved(name: str, digest: str) -> dict[str, Any]:
        return {"class": "Uses", "version": 1, "build": {"function": name, "source_digest": digest}}

    import os

    for lost in (os.system, os.getcwd):  # whatever the digest says: no recipe holds them
        assert refused(Uses.from_dict, saved(lost.__qualname__, source_digest(lost))) == (
            f"this recipe has no function '{lost.__qualname__}'"
        )
    assert (
        refused(Uses.from_dict, saved("trible", "")) == "this recipe has no function 'trible'; did you mean 'triple'?"
    )
    assert refused(Uses.from_dict, saved("triple", "0" * 64)) == "'triple' has changed since this was saved"


def test_a_function_is_set_by_its_name() -> None:
    assert Outer().override("uses.build=triple").uses.build is triple
    assert Outer().override("several=Uses(build=triple),Uses(build=Body)").several[1].build is Body
    assert refused(Outer().override, "build=tripel") == "this recipe has no function 'tripel'; did you mean 'triple'?"
    shown = {option.name: option.value for option in Outer().options()}
    assert shown["uses.build"] == "double"


def test_what_is_no_setting_is_refused_by_name() -> None:
    for value, kind in ((np.zeros(3), "ndarray"), (object(), "object"), (Body(), "Body")):
        for call in (Uses(anything=value).to_dict, Uses(anything=(value,)).identity):
            assert refused(call) == (
                f"Uses.anything: a {kind} is no setting; give plain values, settings, or a function that makes the {kind}"
            )
