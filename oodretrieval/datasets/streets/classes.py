"""Classes of the rendered streets."""

from oodretrieval.labels import NO_CLASS, LabelSet

ROAD, PAVEMENT, BUILDING, TREE, POLE, SIGN, CAR, PERSON, SKY = range(9)
VOID = 9
ANIMAL, CONE, CRATE, TROLLEY, BOULDER, BENCH, BARREL, BIN = range(20, 28)

KNOWN = {
    ROAD: ("road", (128, 64, 128)),
    PAVEMENT: ("pavement", (244, 35, 232)),
    BUILDING: ("building", (90, 90, 90)),
    TREE: ("tree", (107, 142, 35)),
    POLE: ("pole", (190, 153, 153)),
    SIGN: ("sign", (220, 220, 0)),
    CAR: ("car", (0, 0, 192)),
    PERSON: ("person", (220, 20, 60)),
    SKY: ("sky", (70, 130, 180)),
}
UNKNOWN = {
    ANIMAL: ("animal", (166, 86, 40)),
    CONE: ("cone", (255, 127, 0)),
    CRATE: ("crate", (230, 190, 120)),
    TROLLEY: ("trolley", (0, 220, 220)),
    BOULDER: ("boulder", (255, 255, 255)),
    BENCH: ("bench", (120, 60, 200)),
    BARREL: ("barrel", (0, 200, 120)),
    BIN: ("wheelie bin", (255, 120, 180)),
}
LABELS = LabelSet(
    label_mapping={**KNOWN, VOID: ("void", (0, 0, 0)), **UNKNOWN},
    pred_mapping=KNOWN,
    label_to_pred={**{i: i for i in KNOWN}, VOID: NO_CLASS, **dict.fromkeys(UNKNOWN, NO_CLASS)},
    void_ids=frozenset({VOID}),
)
"""Label ids 0…8 are the predicted ids, 9 is void, 20…27 are the unknown kinds."""
