"""Embedding on a cluster: each worker loads the network once, and is given the candidates of blocks of images."""

from collections.abc import Iterator, Sequence
from functools import partial

from oodretrieval.cluster import map_cluster
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.select.crops import Crops, MasksOf
from oodretrieval.stages.select.embedded_blocks import CandidateBlock, Embedded, embedded_block
from oodretrieval.stages.select.embedder import Embedder
from oodretrieval.stages.select.settings import EmbedSettings


class EmbeddingBlocks:
    """Embeds blocks of candidates, in a worker.

    Args:
        settings: Network, what is embedded, and how.
        run: Configuration and workspace, which every worker reaches by the same path.
        work: Of which network on which dataset.
        masks_of: What knows the masks of the candidates.
        device: Kind of device of the network.
    """

    def __init__(
        self, settings: EmbedSettings, run: Run, work: StoredWork, masks_of: MasksOf, device: str
    ) -> None:
        run.configuration.find_classes()
        gpu = 0 if device == "cuda" else -1  # a worker sees its own GPU only
        self.settings = changed(settings, {"engine": "processes", "num_cores": 1, "gpu": gpu})
        self.dataset, self.masks_of = work.dataset, masks_of
        self.embedder = Embedder(self.settings, run, work.names.model)

    def __call__(self, block: CandidateBlock) -> Embedded:
        """Read and embed the candidates of a block.

        Args:
            block: The candidates.

        Returns:
            Those that could be read.
        """
        return embedded_block(
            block, Crops(self.dataset, block.rows, self.masks_of, self.settings), self.embedder
        )


def embed_on_cluster(
    settings: EmbedSettings,
    run: Run,
    work: StoredWork,
    masks_of: MasksOf,
    tasks: Sequence[CandidateBlock],
    device: str,
) -> Iterator[Embedded]:
    """Embed blocks on a cluster.

    Args:
        settings: Network, what is embedded, and how.
        run: Configuration and workspace.
        work: Of which network on which dataset.
        masks_of: What knows the masks; it is sent to the workers.
        tasks: The blocks, in order.
        device: Kind of device of the network.

    Yields:
        The blocks in order: what is done early waits for those before it.

    Raises:
        WorkerError: If there is no cluster, or a block loses its worker again and again.
    """
    prepare = partial(EmbeddingBlocks, settings, run.for_others(), work.for_others(), masks_of, device)
    early: dict[int, Embedded] = {}
    order = iter([task.number for task in tasks])
    due = next(order, None)
    name = f"embedding {work.names.dataset}"
    for done in map_cluster(prepare, tasks, gpu=device == "cuda", desc=name, unit="block"):
        early[done.number] = done
        while due in early:
            yield early.pop(due)
            due = next(order, None)
