"""Clusters: asked for in the window, found beside it."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.bench import Bench
from oodretrieval.explorer.prompt import Prompt

CLUSTERING_NAMES = {
    "kmeans": "k-means",
    "spectral": "spectral clustering",
    "agglomerative": "agglomerative (Ward)",
}


class ClusterCommands(Bench):
    """The commands about clusters."""

    _groups = 0

    def cycle_clustering(self) -> None:
        """Take the next method of clustering; clusters that are shown are made again with it."""
        self.say(f"clustering: {CLUSTERING_NAMES[self.state.cycle_clustering()]}")
        if self.state.colouring == "clusters" and self._groups:
            self.cluster(self._groups)

    def ask_for_clusters(self) -> None:
        """Ask for the number of clusters."""
        if self.state.space is None:
            self.say("clusters are searched in a projection that is still being computed; try again soon")
            return
        or_elbow = ", or elbow for the curve" if self.state.clustering == "kmeans" else ""
        name = CLUSTERING_NAMES[self.state.clustering]
        question = (
            f"{name}: number of clusters, 1 to {len(self.state)}{or_elbow}\nEnter takes it, Escape does not"
        )
        self.overlay.prompt = Prompt(question, self._answer)
        self.overlay.refresh()

    def _answer(self, text: str) -> str:
        if text.lower() == "elbow":
            if self.state.clustering != "kmeans":
                return "the elbow is one of k-means; Escape, and # for k-means"
            self._ask_elbow()
            return ""
        if not text.isdecimal() or not 1 <= int(text) <= len(self.state):
            return f"{text!r} is no number from 1 to {len(self.state)}"
        self.cluster(int(text))
        return ""

    def _ask_elbow(self) -> None:
        space, seed = self.state.space, self.state.settings.seed
        self.work.start(
            "detail",
            "k-means with 1, 2, 3, … clusters",
            lambda job: self._call(job)("elbow_curve", space, seed=seed),
            self.board.show_elbow,
        )

    def cluster(self, number: int) -> None:
        """Cluster, and colour by it."""
        self._groups = number
        self._leave_elbow()
        options = {"method": self.state.clustering, "clusters": number, "seed": self.state.settings.seed}
        name, space = CLUSTERING_NAMES[self.state.clustering], self.state.space

        def show(groups: NDArray[np.int64]) -> None:
            self.state.clusters = groups
            found = int(groups.max()) + 1
            fewer = f" (there are no more different segments than {found})" if found < number else ""
            self._colour("clusters")
            self.say(f"{found} clusters by {name}{fewer}")

        self.work.start(
            "clusters",
            f"{name}, {number} clusters",
            lambda job: self._call(job)("cluster", space, **options),
            show,
        )
