"""Settings of a fine-tuning, searched with Optuna on the rows that it holds out inside."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from yoin.errors import MissingExtraError
from yoin.options import FitOptions

RATES = (1e-5, 2e-4)  # of an encoder 768 wide
LAYER_DECAYS = (1.0, 0.9, 0.8, 0.65)
BATCH_SIZES = (16, 32, 64)


def require_tuning() -> None:
    """Nothing where settings can be searched here.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    if find_spec("optuna") is None:
        raise MissingExtraError("the package optuna", stage="model", extra="tune")


def tune(error_of: Callable[[FitOptions], float], options: FitOptions) -> FitOptions:
    """The options with the best of ``options.tune`` settings; the first one tried are the options' own.

    So on the rows they are judged by, tuned settings are never worse than the ones there were. Searched are the
    learning rate, how much slower lower layers learn, and the size of batches, by a tree-structured Parzen estimator.

    Args:
        error_of: the error on inner held-out rows of a fine-tuning with such options.
        options: with ``tune`` ≥ 1; its seed is the search's.
    """
    require_tuning()
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=options.seed))

    def chosen(values: dict[str, float]) -> FitOptions:
        return options.model_copy(update=values)

    def tried(trial: optuna.Trial) -> float:
        return error_of(
            chosen(
                {
                    "learning_rate": trial.suggest_float("learning_rate", *RATES, log=True),
                    "layer_decay": trial.suggest_categorical("layer_decay", LAYER_DECAYS),
                    "batch_size": trial.suggest_categorical("batch_size", BATCH_SIZES),
                }
            )
        )

    own = error_of(options)
    try:
        search.optimize(tried, n_trials=options.tune - 1)
    finally:
        optuna.logging.set_verbosity(before)
    if options.tune == 1 or search.best_value >= own:
        return options
    return chosen(search.best_params)
