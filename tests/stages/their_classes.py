"""Datasets and networks as a user might write them, most of them wrong, each in its own way."""

import numpy as np
from torch import nn

from oodretrieval.datasets import Sample
from oodretrieval.labels import LabelSet

CLASSES = 3
LABELS = LabelSet(
    label_mapping={0: ("road", (1, 2, 3)), 1: ("dog", (4, 5, 6))},
    pred_mapping={i: (f"class {i}", (i, i, i)) for i in range(CLASSES)},
    label_to_pred={0: 0, 1: 255},
)


class Good:
    """Noise, without truth."""

    label_set = None

    def __init__(self, count=3, size=(24, 32)):
        self.count, self.size = count, size
        self.ids = [f"image {i}" for i in range(count)]

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        image = np.random.default_rng(i).integers(0, 255, (*self.size, 3), dtype=np.uint8)
        return Sample(image, self.labels(i), f"folder {i}/{self.ids[i]}.png", self.ids[i])

    def labels(self, i):
        return None


class NoIds(Good):
    def __init__(self):
        super().__init__()
        self.names = self.ids
        del self.ids


class IntegerIds(Good):
    def __init__(self):
        super().__init__()
        self.ids = [0, 1, 2]


class Raises(Good):
    def __getitem__(self, i):
        return {}["image"]


class RaisesLater(Good):
    def __getitem__(self, i):
        if i == 1:
            raise RuntimeError("broken in the middle")
        return super().__getitem__(i)


class RaisesInInit(Good):
    def __init__(self):
        super().__init__()
        self.files = None
        self.ids = [file.stem for file in self.files.glob("*")]


class Dict(Good):
    def __getitem__(self, i):
        return {"image": super().__getitem__(i).image}


class Twice(Good):
    def __init__(self):
        super().__init__(4)
        self.ids = ["a", "b", "a", "c"]


class Integers(Good):
    """Truth of any integer type."""

    label_set = LABELS
    video = True

    def __init__(self, kind="int64"):
        super().__init__()
        self.kind = kind

    def labels(self, i):
        labels = np.zeros(self.size, self.kind)
        labels[:, 10:] = 1
        return labels


class Binary(Integers):
    """Truth that knows no classes; every third row is void."""

    label_set = LabelSet.binary()

    def labels(self, i):
        labels = super().labels(i)
        labels[::3] = 255
        return labels


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, CLASSES, 1)

    def forward(self, x):
        return self.layer(x)


class Softmax(Net):
    def forward(self, x):
        return self.layer(x).softmax(1)


class DictNet(Net):
    def forward(self, x):
        return {"out": self.layer(x)}


class Argmax(Net):
    def forward(self, x):
        return self.layer(x).argmax(1)


class RaisesInForward(Net):
    def forward(self, x):
        return self.layer(x.reshape(1, -1))


class RaisesInItsInit(Net):
    def __init__(self):
        super().__init__()
        self.other = self.nothing
