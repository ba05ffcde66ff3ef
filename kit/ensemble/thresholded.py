"""A blend with thresholds: first weights are learnt, then the best thresholds for the metric."""

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.crossfit import cross_fitted
from kit.ensemble.decide.threshold import best_threshold, surrogate_metric, takes_threshold
from kit.ensemble.fitted import FittedBlend
from kit.ensemble.oof import OutOfFold


def fit_thresholded(blend: Blend, oof: OutOfFold) -> FittedBlend:
    """`blend.fit_oof`; if the metric scores decisions, also the best thresholds.

    The weights are then optimised for the metric's `surrogate_metric`, which scores the order of the predictions.

    Thresholds of a mean of members are chosen on the rows from which the weights were learnt. A blend that learns more
    is more confident on these rows than on new rows. So its thresholds are chosen on its out-of-fold predictions, if
    there are enough folds.
    """
    if not takes_threshold(oof.metric, oof.y, oof.predictions[0]):
        return blend.fit_oof(oof)
    sought = oof.optimised_for(surrogate_metric(oof.metric, oof.y))
    fitted = blend.fit_oof(sought)
    p = None
    if not fitted.is_mean:
        try:
            p = cross_fitted(blend.settled(fitted), sought, "a threshold")
        except KitError:  # too few folds, or only one label in a fold: an optimistic threshold is better than none
            p = None
    if p is None:
        p = fitted.predict_checked(oof.predictions, oof.columns)
    return fitted.with_thresholds(best_threshold(oof.metric, oof.y, p))
