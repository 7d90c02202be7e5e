"""Which meta model is trained, under which name, and how a fresh one of it is built."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from oodretrieval.entries import MetaModelEntry, build, build_kind, factory_of
from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.experiment.run import Run
from oodretrieval.meta_models import KINDS, MetaModel, NeuralMetaModel
from oodretrieval.remote_paths import path_of
from oodretrieval.stages.fit.settings import RecipeSettings

HYPERPARAMETERS = ("epochs", "learning_rate", "weight_decay", "batch_size", "seed")


@dataclass(frozen=True)
class Recipe:
    """A meta model to train.

    Attributes:
        name: Under which it is saved.
        entry: What is built, its path set.
        settings: What the command line asks for.
        device: Where neural models are trained.
    """

    name: str
    entry: MetaModelEntry
    settings: RecipeSettings
    device: torch.device

    @classmethod
    def of(
        cls,
        settings: RecipeSettings,
        run: Run,
        device: torch.device,
    ) -> "Recipe":
        """Look up name and class.

        Args:
            settings: What the command line says.
            run: Configuration and workspace.
            device: Where networks are trained.

        Returns:
            The recipe.

        Raises:
            UnknownNameError: If the name has no entry, and no kind is given.
            SettingsError: If the name's entry is of another kind than asked for.
        """
        name = settings.meta_model_name or settings.meta_model or run.configuration.defaults["META_MODEL"]
        if name in run.configuration.meta_models:
            entry = run.trained.meta_model_entry(name)
            asked = KINDS.get(settings.meta_model)
            if asked is not None and factory_of(entry) is not asked:
                raise SettingsError(
                    f"{name!r} is a {entry.class_name} in configuration.py, args.meta_model={settings.meta_model} "
                    f"asks for a {asked.__name__}; leave args.meta_model out, or choose another args.meta_model_name"
                )
            return cls(name, entry, settings, device)
        if not settings.meta_model:
            known = run.configuration.meta_models
            hint = f"; or say which kind it shall be: args.meta_model={'|'.join(KINDS)}"
            raise SettingsError(f"{UnknownNameError('meta model', name, known)}{hint}")
        kind = KINDS[settings.meta_model]
        path = run.workspace.meta_model_path(name, kind.suffix)
        entry = MetaModelEntry("oodretrieval.meta_models", kind.__name__, path=path)
        return cls(name, entry, settings, device)

    @property
    def path(self) -> Path:
        """Where it is saved."""
        return path_of(self.entry.path or "")

    def build(self, features: Sequence[str] | None = None) -> MetaModel:
        """A fresh model; a plain network is wrapped into the published training.

        Args:
            features: Instead of those of the command line or of the entry, for baselines.

        Returns:
            The model, not fitted.

        Raises:
            SettingsError: If the class has no such hyperparameter.
            ConfigurationError: If the entry builds something else.
        """
        entry, unset = self.entry, RecipeSettings()
        given = {name: getattr(self.settings, name) for name in HYPERPARAMETERS}
        options: dict[str, Any] = {k: v for k, v in given.items() if v != getattr(unset, k) or k == "seed"}
        chosen = features or self.settings.features
        if chosen:
            options["features"] = list(chosen)
        factory = factory_of(entry)
        if inspect.isclass(factory) and issubclass(factory, nn.Module):
            return NeuralMetaModel(network=lambda size: build(entry, size), device=self.device, **options)
        known = inspect.signature(factory).parameters
        refused = sorted(set(options) - set(known) - {"seed"})
        if refused:
            raise SettingsError(
                f"{entry.class_name} has no {', '.join(refused)}; leave args.{refused[0]} out"
            )
        options = {key: value for key, value in options.items() if key in known}
        if "device" in known:
            options["device"] = self.device
        kind: type[MetaModel] = MetaModel  # type: ignore[type-abstract]
        return build_kind(entry, kind, "a MetaModel or a torch.nn.Module", **options)
