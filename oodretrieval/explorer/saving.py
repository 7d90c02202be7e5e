"""Saving instead of showing."""

import re
from collections.abc import Callable
from pathlib import Path

from oodretrieval.explorer.bench import Bench
from oodretrieval.explorer.pictures import save_panels, save_picture
from oodretrieval.explorer.work import Job


class SaveCommands(Bench):
    """The commands that save a picture of a segment."""

    def save_image(self, row: int) -> None:
        """Save the full image with the red box."""
        path = self._picture(row, "image")

        def save(job: Job) -> Path:
            save_picture(path, self.crops.outlined(row), self.state.box(row))
            return path

        self._save(save)

    def save_crop(self, row: int) -> None:
        """Save the crop alone."""
        path = self._picture(row, "crop")

        def save(job: Job) -> Path:
            save_picture(path, self.crops.crop(row))
            return path

        self._save(save)

    def save_panels(self, row: int) -> None:
        """Save the four panels."""
        path = self._picture(row, "panels")
        title = f"{self.state.place(row)} · {' · '.join(self.state.caption(row).splitlines())}"

        def save(job: Job) -> Path:
            save_panels(path, self._view(row), title)
            return path

        self._save(save)

    def _save(self, save: Callable[[Job], Path]) -> None:
        # a slot of its own for each: a picture that was asked for is not dropped for the next one
        slot = f"save {id(save)}"
        self.work.start(slot, "saving", save, lambda path: self.say(f"saved {path}"))

    def _picture(self, row: int, kind: str) -> Path:
        value = self.state.value
        parts = value(row, "dataset"), value(row, "image_id"), value(row, "segment_id"), kind
        name = re.sub(r"[^\w.+-]+", "_", "_".join(map(str, parts)))
        return self.folder / f"{name}.png"
