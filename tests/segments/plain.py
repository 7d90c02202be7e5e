"""Obviously right and slow: the definitions, one pixel after the other."""

import math
from collections import Counter


def neighbours(y, x, height, width):
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    return [(y + dy, x + dx) for dy, dx in steps if 0 <= y + dy < height and 0 <= x + dx < width]


def flood(start, belongs, height, width):
    found, queue = {start}, [start]
    while queue:
        for pixel in neighbours(*queue.pop(), height, width):
            if pixel not in found and belongs(pixel):
                found.add(pixel)
                queue.append(pixel)
    return found


def segments_of(classes, ignore):
    height, width = classes.shape
    taken, segments = set(), []
    for pixel in [(y, x) for y in range(height) for x in range(width)]:
        if pixel not in taken and classes[pixel] != ignore:
            segments.append(flood(pixel, lambda q, c=classes[pixel]: classes[q] == c, height, width))
            taken |= segments[-1]
    return segments


def mean(values):
    return math.fsum(values) / len(values) if values else 0.0


def variance(values):
    return mean([v * v for v in values]) - mean(values) ** 2


def dispersion(p):
    first, second = sorted(p, reverse=True)[:2]
    epsilon = 2.0**-23
    entropy = -math.fsum(v * math.log(v + epsilon) for v in p) / math.log(len(p))
    return {"E": entropy, "D": 1 - first + second, "V": 1 - first}


def iou_of(segment, c, classes, truth):
    height, width = classes.shape

    def missed(q):
        return truth[q] == c and classes[q] != c

    union = set(segment)
    for pixel in segment:
        for q in neighbours(*pixel, height, width):
            if missed(q) and q not in union:
                union |= flood(q, missed, height, width)
    return sum(truth[q] == c for q in segment) / len(union)


def metrics_of(segment, classes, probabilities, truth, ignore):
    height, width, number = probabilities.shape
    c = classes[next(iter(segment))]
    other = {q: [r for r in neighbours(*q, height, width) if classes[r] != c] for q in segment}
    sets = {"": segment, "_in": [q for q in segment if not other[q]], "_bd": [q for q in segment if other[q]]}
    border = max(len(sets["_bd"]), 1)
    row = {"class": c, **{f"S{suffix}": len(pixels) for suffix, pixels in sets.items()}}
    row |= {"S_rel": row["S"] / border, "S_rel_in": row["S_in"] / border}
    heat = {q: dispersion([float(v) for v in probabilities[q]]) for q in segment}
    for name in "EDV":
        for suffix, pixels in sets.items():
            row[f"{name}{suffix}"] = mean([heat[q][name] for q in pixels])
            row[f"{name}_var{suffix}"] = variance([heat[q][name] for q in pixels])
        for kind in ("", "_var"):
            row[f"{name}{kind}_rel"] = row[f"{name}{kind}"] * row["S_rel"]
            row[f"{name}{kind}_rel_in"] = row[f"{name}{kind}_in"] * row["S_rel_in"]
    row |= {"mean_x": mean([y for y, _ in segment]), "mean_y": mean([x for _, x in segment])}
    row |= {f"cprob{k}": mean([float(probabilities[q][k]) for q in segment]) for k in range(number)}
    around = Counter(int(classes[r]) for pixels in other.values() for r in pixels)
    row |= {f"ndist{k}": around[k] / max(around.total(), 1) for k in range(number)}
    row["iou"] = -1.0 if truth is None else iou_of(segment, c, classes, truth)
    row["iou0"] = -1 if truth is None else int(row["iou"] == 0)
    return row


def plain_segment_metrics(probabilities, truth=None, prediction=None, ignore=255):
    """What ``segment_metrics`` gives, as (list of rows, list of pixel sets)."""
    classes = probabilities.argmax(axis=2) if prediction is None else prediction
    segments = segments_of(classes, ignore)
    return [metrics_of(s, classes, probabilities, truth, ignore) for s in segments], segments
