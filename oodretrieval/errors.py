"""Every error that this project raises on purpose.

::

    OODRetrievalError                 one line that says what was expected, what was got, what to do
    ├── SettingsError                 a command line or a settings value that cannot be used
    │   ├── UnknownNameError          a name that is not among the known ones (which are listed)
    │   └── FilterError               a filter that cannot be read, and where
    ├── ConfigurationError            an entry of configuration.py that cannot be built
    ├── DatasetError                  a dataset as a whole is unusable
    │   ├── DatasetNotFoundError      its root or a required folder is missing or empty
    │   └── UnpairedFilesError        images without labels, labels without images, ids that occur twice
    ├── ImageError                    one image or label file cannot be used; the others can
    │   └── SampleCodeError           the code of a dataset's class fails on one sample
    ├── WeightsError                  weights that are missing or do not fit their network
    ├── StoreError                    something in the workspace is missing, damaged or of another format
    │   ├── SettingsMismatchError     existing work was made with other settings
    │   ├── ChecksumError             the bytes of a file are not those that were written
    │   └── AllFailedError            not one of the images could be done
    ├── WorkerError                   a worker process died
    ├── DisplayError                  no window can be opened here
    ├── TableError                    a segment table lacks what is asked of it
    ├── UnknownOperationError         a network computes with something that has no rule of explanation
    └── PartialFailure                the run is done, but some images failed (exit code 3)
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice


class OODRetrievalError(Exception):
    """Root of the hierarchy: a message that a person can act on."""


class SettingsError(OODRetrievalError):
    """A command line or a settings value that cannot be used."""


LISTED = 40
"""Of more known names than this only the close ones are listed; of more failed images only the first."""


class UnknownNameError(SettingsError):
    """A name that is not among the known ones.

    Args:
        kind: What is named, e.g. ``"dataset"``.
        name: What was got instead.
        known: What exists; where that is a lot, only the names close to ``name`` are listed.
        remedy: How to make what is missing, if that can be.

    Example:
        >>> str(UnknownNameError("dataset", "camvid_tset", ["camvid_test", "streets"]))
        "unknown dataset 'camvid_tset'; did you mean 'camvid_test'? Known: camvid_test, streets"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=10)
        hint = f"did you mean {close[0]!r}? " if close else ""
        listed = ", ".join(names) or "none"
        if len(names) > LISTED:
            listed = f"{len(names)} names, close to it: {', '.join(close) or 'none'}"
        ending = f"; {remedy}" if remedy else ""
        super().__init__(f"unknown {kind} {name!r}; {hint}Known: {listed}{ending}")


class FilterError(SettingsError):
    """A filter that cannot be read, or that compares what cannot be compared.

    Args:
        problem: What is wrong, and what to write instead.
        text: The filter.
        start: Where in it, in letters from 0.
        end: Behind the last letter of the place.

    Attributes:
        problem: As given.
        text: As given.
        start: As given.
        end: As given, at least one letter further than ``start``.

    Example:
        >>> print(FilterError("write == to compare", "class = 2", 6, 7))
        write == to compare
          class = 2
                ^
    """

    def __init__(self, problem: str, text: str, start: int, end: int) -> None:
        self.problem, self.text, self.start, self.end = problem, text, start, max(end, start + 1)
        super().__init__(f"{problem}\n  {text}\n  {' ' * start}{'^' * (self.end - start)}")


class ConfigurationError(OODRetrievalError):
    """An entry of ``configuration.py`` that cannot be built."""


class DatasetError(OODRetrievalError):
    """A dataset as a whole is unusable."""


class DatasetNotFoundError(DatasetError):
    """The root or a required folder of a dataset is missing or empty."""


class UnpairedFilesError(DatasetError):
    """Images without labels, labels without images, or ids that occur twice."""


class ImageError(OODRetrievalError):
    """One image or label file cannot be used; the rest of the dataset can."""


class SampleCodeError(ImageError):
    """The code of a dataset's class fails on one sample; where it does on several, it is the code that is wrong."""


class WeightsError(OODRetrievalError):
    """Weights that are missing or do not fit their network."""


class StoreError(OODRetrievalError):
    """Something in the workspace is missing, damaged or of another format."""


class SettingsMismatchError(StoreError):
    """Existing work was made with other settings.

    Args:
        where: The existing work.
        differences: Name of the setting → (value it was made with, value asked for).
        remedy: What to do.

    Attributes:
        where: As given.
        differences: As given.
    """

    def __init__(
        self,
        where: object,
        differences: Mapping[str, tuple[object, object]],
        remedy: str = "add args.overwrite=True to make it again, or choose another args.workspace",
    ) -> None:
        self.where, self.differences = where, differences
        listed = "; ".join(f"{key}: was {old!r}, now {new!r}" for key, (old, new) in differences.items())
        super().__init__(f"{where} was made with other settings ({listed}); {remedy}")


class ChecksumError(StoreError):
    """The bytes of a file are not those that were written."""


class AllFailedError(StoreError):
    """Not one of the images of a stage could be done, so that it has no result.

    Args:
        stage: Name of the stage.
        where: The dataset, and the folder of what is read of it.
        failures: Image id → reason; the first is shown.
        remedy: What to do.

    Attributes:
        failures: As given.

    Example:
        >>> print(AllFailedError("eval_iou", "dataset 'val'", {"a": "damaged"}, "predict again"))
        eval_iou: all 1 image(s) of dataset 'val' failed, nothing is done; the first, a: damaged; predict again
    """

    def __init__(self, stage: str, where: str, failures: Mapping[str, str], remedy: str) -> None:
        self.failures = dict(failures)
        image, reason = next(iter(self.failures.items()))
        super().__init__(
            f"{stage}: all {len(self.failures)} image(s) of {where} failed, nothing is done; the first, {image}: "
            f"{reason}; {remedy}"
        )


class WorkerError(OODRetrievalError):
    """A worker process died."""


class DisplayError(OODRetrievalError):
    """No window can be opened here."""


class TableError(OODRetrievalError):
    """A segment table lacks what is asked of it."""


class UnknownOperationError(OODRetrievalError):
    """A network computes with an operation of which it is not known how evidence passes through it.

    Args:
        operation: Its name, as torch spells it.
        known: What has a rule.
    """

    def __init__(self, operation: str, known: Iterable[str]) -> None:
        close = get_close_matches(operation, list(known), n=3)
        hint = f" (there is one for {', '.join(close)})" if close else ""
        super().__init__(
            f"no rule says how evidence passes through {operation}{hint}; write one and register it with "
            "oodretrieval.explain.register_rule, see docs/explain.md"
        )


class PartialFailure(OODRetrievalError):
    """The run is done, but some images failed.

    Args:
        stage: Name of the stage.
        failures: Image id or path → reason; where that is a lot, only the first ones are listed.
        record: File that lists them all; None where there is none.

    Attributes:
        failures: As given.
        record: As given.
    """

    def __init__(self, stage: str, failures: Mapping[str, str], record: object = None) -> None:
        self.failures, self.record = dict(failures), record
        count = len(self.failures)
        lines = [f"{stage}: {count} image(s) failed, all others are done:"]
        lines += [f"  {image}: {reason}" for image, reason in islice(self.failures.items(), LISTED)]
        if count > LISTED:
            lines.append(f"  … and {count - LISTED} more")
        if record is not None:
            lines.append(
                f"{count} image(s) failed: {record} lists them; args.retry_failed=True tries them again"
            )
        super().__init__("\n".join(lines))
