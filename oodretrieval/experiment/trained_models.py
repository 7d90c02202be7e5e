"""Meta models and novelty models that were fitted for a network, by name."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Any

from torch import nn

from oodretrieval.entries import MetaModelEntry, build, factory_of
from oodretrieval.errors import TableError, UnknownNameError, WeightsError
from oodretrieval.experiment.bare_run import BareRun
from oodretrieval.meta_models import KINDS, MetaModel, load_meta_model
from oodretrieval.novelty import NoveltyModel, load_novelty_model
from oodretrieval.remote_paths import path_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedModels:
    """The models that rate the segments of networks, where they are kept, and read from there.

    Attributes:
        run: Whose configuration names meta models, and networks with their novelty models; in its workspace lie those
            that have no path of their own.
    """

    run: BareRun

    def meta_model_entry(self, name: str) -> MetaModelEntry:
        """The entry of the meta model named ``name``, its path set: as configured, else in the workspace.

        A name without an entry is that of a model which ``train_meta_nn`` saved there (``args.meta_model=…``).

        Raises:
            UnknownNameError: If there is neither an entry nor a file of that name; lists both.
            ConfigurationError: If the entry's class cannot be found.
        """
        if name in self.run.configuration.meta_models:
            entry = self.run.configuration.meta_model(name)
            return entry if entry.path is not None else replace(entry, path=self._own_path(entry, name))
        files = self.saved_meta_models()
        if name not in files:
            raise UnknownNameError("meta model", name, {*self.run.configuration.meta_models, *files})
        return MetaModelEntry("oodretrieval.meta_models", "MetaModel", path=files[name])

    def meta_model_path(self, name: str) -> Path:
        """Where a meta model is read from and saved to; see :meth:`meta_model_entry`.

        Args:
            name: Name of the meta model.

        Returns:
            The file, whether it is there or not.
        """
        return path_of(self.meta_model_entry(name).path or "")

    def _own_path(self, entry: MetaModelEntry, name: str) -> Path:
        return self.run.workspace.meta_model_path(
            name, getattr(factory_of(entry), "suffix", MetaModel.suffix)
        )

    def saved_meta_models(self) -> dict[str, Path]:
        """Name → file of every meta model in the workspace."""
        suffixes = {kind.suffix for kind in KINDS.values()}
        files = sorted(self.run.workspace.meta_model_path("any").parent.glob("*"))
        return {path.stem: path for path in files if path.suffix in suffixes}

    def meta_model(self, name: str, model_name: str) -> MetaModel:
        """Load a trained meta model for the segments of a network.

        Args:
            name: Name of the meta model.
            model_name: Name of the segmentation network whose segments it shall rate.

        Returns:
            The trained model.

        Raises:
            UnknownNameError: If there is neither an entry nor a file of that name.
            ConfigurationError: If the entry's class cannot be found.
            WeightsError: If it is not trained yet, or its file is damaged.
            TableError: If it was trained for another network, or for other weights of this one.
        """
        entry = self.meta_model_entry(name)
        factory_of(entry)  # a wrong entry is the first thing to say
        path = path_of(entry.path or "")
        remedy = self.run.command("train_meta_nn", model_name=model_name, meta_model_name=name)
        if not path.is_file():
            raise WeightsError(
                f"no meta model {str(path)!r}; train it with {remedy}, or choose one that is there by "
                f"args.meta_model_name: {', '.join(self._trained_meta_models()) or 'none'}"
            )
        model = load_meta_model_of(entry, path)
        self._require_fitting(path, model_name, model.quality.get("made_by", {}), remedy)
        if model.quality.get("caution"):
            logger.warning("%s: %s", path, model.quality["caution"])
        return model

    def _trained_meta_models(self) -> list[str]:
        shipped = (n for n, e in self.run.configuration.meta_models.items() if e.path is not None)
        trained = {n for n in shipped if Path(self.run.configuration.meta_model(n).path or "").is_file()}
        return sorted(trained | set(self.saved_meta_models()))

    def _require_fitting(self, path: Path, model_name: str, made_by: Mapping[str, Any], remedy: str) -> None:
        """Refuse a meta model of another network, or of other weights; one that does not say is taken."""
        if made_by.get("model", model_name) != model_name:
            raise TableError(
                f"{path} was trained on segments of {made_by['model']!r}, not of {model_name!r}; train one for it "
                f"with {remedy}, or choose another args.meta_model_name"
            )
        entry = self.run.configuration.model(model_name)
        if made_by.get("weights") and self.run.weights_hash(model_name) not in ("", made_by["weights"]):
            raise TableError(
                f"{path} was trained with other weights of {model_name!r} than {entry.weights}; train it again "
                f"with {remedy} args.overwrite=True"
            )

    def novelty_model(self, model_name: str) -> NoveltyModel:
        """Load the novelty model of a network.

        Args:
            model_name: Name of the segmentation network.

        Returns:
            The fitted model.

        Raises:
            WeightsError: If it is not fitted yet, or its file is damaged.
            TableError: If it was fitted for another network, or for other weights of this one.
        """
        path = self.run.novelty_model_path(model_name)
        remedy = f"{self.run.command('train_novelty', model_name=model_name)} args.dataset=…"
        if not path.is_file():
            raise WeightsError(
                f"no novelty model {str(path)!r}; fit it on training images with truth by {remedy}"
            )
        model = load_novelty_model(path)
        made_for = model.made_by.get("model")
        if made_for != model_name:
            raise TableError(
                f"{path} was fitted on segments of {made_for!r}, not of {model_name!r}; fit one by {remedy}"
            )
        weights = self.run.weights_hash(model_name)
        if weights not in ("", model.made_by.get("weights")):
            raise TableError(
                f"{path} was fitted with other weights of {model_name!r}; fit it again by {remedy} "
                "args.overwrite=True"
            )
        return model


def load_meta_model_of(entry: MetaModelEntry, path: Path) -> MetaModel:
    """Read a meta model; a plain network of the entry is built by it.

    Args:
        entry: Of the meta model.
        path: Its file.

    Returns:
        The model.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    factory = factory_of(entry)
    if isclass(factory) and issubclass(factory, nn.Module):
        return load_meta_model(path, network=partial(build, entry))
    return load_meta_model(path)
