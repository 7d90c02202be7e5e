"""What an embedding is worth on scenes that the segmentation network never saw: networks × what is embedded × space.

    python benchmarks/retrieval_scenes.py --segments s_0006r0 s_0016e5 --objects o_0006r0 o_0016e5   # docs/retrieval.md

The catalogues are one a scene, each made by scripts/compute_embeddings.py with the network that was trained on the
other drives (benchmarks/scenes.py); this embeds their candidates in every way of --ways that they lack, part by part,
and writes the tables. Every candidate with truth that is not void is the query once; relevant is what has its label.
Vectors that labels taught are those of the directions of --left-out (benchmarks/teach_embedding.py), which no label of
the scene taught.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from checkout import ROOT
from command_line import command_line, note_progress
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.directions import unit_vectors
from oodretrieval.embedding import embedding_name
from oodretrieval.embedding.taught import load_directions
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.results.tables import markdown_table
from oodretrieval.stages.evaluate.catalogue_truth import scene_vectors
from oodretrieval.stages.evaluate.embedding_spaces import MEAN, RANDOM, SceneVectors, over_scenes, space_table
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue, CatalogueWriter, Workspace

WAYS = (
    "efficientnet_lite0:crop:0",
    "efficientnet_lite0:masked:0",
    "efficientnet_lite0:crop:224",
    "efficientnet_lite0:context:224",
    "efficientnet_lite0:dimmed:224",
    "efficientnet_lite0_layers:masked:224",
    "efficientnet_lite0:masked:224",
    "efficientnet_lite0:crop+masked:224",
    "efficientnet_lite0:pooled:0",
    "efficientnet_lite1:masked:224",
    "efficientnet_lite2:masked:224",
    "segmentation:pooled:0",
)
"""Network, what is embedded, side of the crops (0: native)."""
TAUGHT = "efficientnet_lite0_taught"
"""The default of configuration.py: DEFAULT_NET with directions that labels taught behind its vectors."""
SHOWN = ["mAP", "weighted", "P@1", "P@5", "P@10"]
APART = {f"{name}, other frames": name for name in SHOWN}
PUBLISHED = ("efficientnet_lite0, none", "efficientnet_lite0_native, none")
"""How rows of crops at their own size begin, whatever that of the catalogue is."""
BEST = 12
"""Spaces in the table over scenes."""


def embed(name: str, ways: Sequence[str], run: Run, gpu: int) -> None:
    """Embed the candidates of a catalogue in every way that it lacks; its default stays."""
    catalogue = Catalogue.named(run.workspace, name)
    before = catalogue.default_embedding
    for way in ways:
        net, embedded, size = way.split(":")
        same = int(size) == catalogue.settings["crop_size"]
        called = embedding_name(net, embedded, "" if same else str(int(size) or "native"))
        if called in catalogue.embedding_names:
            continue
        asked = {"load_file": name, "net": net, "embedded": embedded, "crop_size": int(size), "gpu": gpu}
        compute_embeddings(from_mapping(EmbedSettings, asked), run)
    if Catalogue.named(run.workspace, name).default_embedding != before:
        with CatalogueWriter(catalogue.path, catalogue.settings) as writer:
            writer.commit(default_embedding=before)


def with_taught(scene: SceneVectors, left_out: Path | None) -> SceneVectors:
    """A scene whose vectors of the layers also stand with the directions behind them that other scenes taught."""
    if left_out is None:
        return scene
    file = left_out / f"without_{scene.name}.safetensors"
    taught = {
        name.replace(DEFAULT_NET, TAUGHT): with_directions(vectors, file)
        for name, vectors in scene.embeddings.items()
        if name.startswith(DEFAULT_NET)
    }
    return replace(scene, embeddings={**scene.embeddings, **taught})


def with_directions(vectors: ArrayLike, file: Path) -> NDArray[np.float64]:
    """Unit vectors, and behind them their values along directions, as TaughtEmbedding has them."""
    units = unit_vectors(np.asarray(vectors, np.float64))
    return np.hstack([units, units @ load_directions(file)[1]])


def shown(kind: str, names: Sequence[str], run: Run, left_out: Path | None) -> str:
    """The tables of one kind of candidates, Markdown."""
    if not names:
        return ""
    catalogues = {
        drive(catalogue): catalogue for catalogue in (Catalogue.named(run.workspace, n) for n in names)
    }
    scenes = {
        name: with_taught(replace(scene_vectors(catalogue), name=name), left_out)
        for name, catalogue in catalogues.items()
    }
    found = {name: space_table(scene) for name, scene in scenes.items()}
    together = over_scenes(found)
    usual = [row for row in together.index if row.startswith(PUBLISHED) or row == RANDOM]
    rows = [*together.index[:BEST], *(row for row in usual if row not in together.index[:BEST])]
    parts = [
        f"## {kind}",
        "mAP over classes, without the query's own frames:",
        markdown_table(together.loc[rows]),
    ]
    for name, table in found.items():
        labels, catalogue = scenes[name].labels, catalogues[name]
        parts += [
            f"### {kind} of {name}, of {catalogue.settings['model']}",
            f"{len(labels)} candidates with truth in {catalogue.segments['image_id'].nunique()} frames, of "
            f"{len(set(labels))} classes. Without the query's own frames:",
            markdown_table(table.loc[rows, list(APART)].rename(columns=APART)),
            "Among all others, and k-means with as many groups as classes:",
            markdown_table(table.loc[rows, [*SHOWN, "NMI", "ARI", "purity"]]),
        ]
    logging.info("best for %s: %s, %.3f", kind, together.index[0], together[MEAN].iloc[0])
    return "\n\n".join(parts)


def drive(catalogue: Catalogue) -> str:
    """The datasets that a catalogue is of."""
    return ", ".join(catalogue.segments["dataset"].unique())


def main() -> None:
    """Read the command line and run."""
    parser = command_line(__doc__)
    parser.add_argument("--segments", nargs="*", default=(), help="catalogues of segments, one a scene")
    parser.add_argument("--objects", nargs="*", default=(), help="catalogues of objects, one a scene")
    parser.add_argument("--ways", nargs="*", default=WAYS, help="network:what is embedded:side of the crops")
    parser.add_argument("--left-out", type=Path, help="folder of directions, of all scenes but one each")
    parser.add_argument("--workspace", help="where the catalogues are")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "retrieval.md")
    chosen = parser.parse_args()
    note_progress()
    configuration = load_configuration()
    run = Run(configuration, Workspace(Path(chosen.workspace or configuration.workspace)))
    for name in (*chosen.segments, *chosen.objects):
        embed(name, chosen.ways, run, chosen.gpu)
    kinds = (("Segments", chosen.segments), ("Objects", chosen.objects))
    parts = [shown(kind, names, run, chosen.left_out) for kind, names in kinds]
    head = chosen.output.read_text(encoding="utf-8").partition(MARK)[0] if chosen.output.is_file() else TEXT
    chosen.output.write_text(f"{head}{MARK}\n\n" + "\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


MARK = "<!-- tables -->"
TEXT = "# Retrieval on scenes that were not seen\n\n"


if __name__ == "__main__":
    main()
