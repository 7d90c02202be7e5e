"""The colours of every chart and window, for every common colour vision. Knows no toolkit."""

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, BLACK, YELLOW = "#E69F00", "#56B4E9", "#000000", "#F0E442"
PALETTE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY, BLACK, YELLOW)
"""Okabe and Ito's colours, in the order in which they are given to kinds of things."""

GREY = "#B0B0B0"
"""What is known, or of no interest."""
FAINT = "#DDDDDD"
"""What is filtered away."""
NEAR = "#111111"
"""The ring around a neighbour."""
RED = "#D62728"
"""The frame around a segment in an image."""
GRID = "#E0E0E0"
UNIFORM = "#35618F"
"""One colour for all."""

LINES = (
    (BLUE, "-"),
    (ORANGE, "--"),
    (GREEN, "-."),
    (PINK, (0, (5, 1))),
    (SKY, (0, (3, 1, 1, 1))),
    (AMBER, ":"),
    (BLACK, (0, (7, 2, 1, 2))),
    ("#882255", (0, (8, 3))),
    ("#666666", (0, (1, 1))),
    ("#AA9900", (0, (1, 4))),
)
"""Colour and stroke of each curve of a chart, which differ without any colour, too."""
REFERENCE_LINE = (0, (1, 3))
"""Stroke of what curves are compared with: chance, everything there is."""

CLUSTERS = (
    *(BLUE, ORANGE, GREEN, PINK, AMBER, SKY, "#660000", "#0000FF"),
    *("#590D40", "#001A99", "#3377FF", "#DBDB94", "#FFFF00", "#0D0D59", "#CFFF70", "#993300"),
)
"""Colours of clusters, of tags and of the values of a column: Okabe and Ito's, and what is farthest from these and from
white for people who lack any one of the three kinds of cones."""
CIVIDIS = (
    *("#00224E", "#003170", "#2A3F6D", "#434E6C", "#575D6D", "#6A6C71", "#7D7C78"),
    *("#918B78", "#A59C74", "#BCAE6C", "#D2C060", "#E9D34E", "#FEE838"),
)
"""Of numbers, from dark to light, equally far apart; the colour-blind see them in order, too (Nuñez et al.,
arXiv:1712.01662)."""

ENTROPY_MAP, IOU_MAP, SCORE_MAP, DENSITY_MAP = "inferno", "cividis", "viridis", "Purples"
"""Colour maps, by the names of matplotlib: of entropy, of the IoU of segments, of scores, of where points are dense."""
