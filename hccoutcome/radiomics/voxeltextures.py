"""Run, zone, dependence and tone features of the box around each voxel."""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON
from hccoutcome.radiomics.kernels import compiled

EMPHASIS = (
    "small",
    "large",
    "low",
    "high",
    "small_low",
    "small_high",
    "large_low",
    "large_high",
    "level_nonuniformity",
    "level_nonuniformity_normalised",
    "size_nonuniformity",
    "size_nonuniformity_normalised",
    "level_variance",
    "size_variance",
    "entropy",
    "percentage",
)
"""The statistics of ``zones.emphasis_statistics`` in the order in which the kernels write them."""


@compiled
def _fill(block, codes, centre, reach, inner):
    """Copy the box around a centre into the block; return the lowest and the highest code in it."""
    low, high = np.int64(1 << 40), np.int64(0)
    for k in range(inner.size):
        code = np.int64(codes[centre + reach[k]])
        block[inner[k]] = code
        if code:
            low = min(low, code)
            high = max(high, code)
    return low, high


@compiled
def gldm_of_boxes(codes, centres, reach, inner, block_size, around, levels, largest_difference, out):
    """Write the statistics of the dependences in the box around each centre to ``out`` (16, centres)."""
    block = np.zeros(block_size, np.int64)
    ahead, behind = around[: around.size // 2], around[around.size // 2 :]  # two at a time are faster
    table = np.zeros((levels.size, around.size + 2))
    for c in range(centres.size):
        low, high = _fill(block, codes, centres[c], reach, inner)
        widest = 0
        for k in range(inner.size):
            p = inner[k]
            if block[p]:
                size = 1
                for a in range(ahead.size):
                    for other in (block[p + ahead[a]], block[p + behind[a]]):
                        if other == block[p] or (
                            largest_difference and other and abs(levels[other] - levels[block[p]]) <= largest_difference
                        ):
                            size += 1
                table[block[p], size] += 1
                widest = max(widest, size)
        out[:, c] = 0.0
        _add_emphasis(table[low : high + 1, : widest + 1], levels[low : high + 1], out[:, c])


@compiled
def glszm_of_boxes(codes, centres, reach, inner, block_size, offsets, levels, out):
    """Write the statistics of the zones in the box around each centre to ``out`` (16, centres)."""
    block = np.zeros(block_size, np.int64)
    stack = np.empty(inner.size, np.int64)
    table = np.zeros((levels.size, inner.size + 1))
    for c in range(centres.size):
        low, high = _fill(block, codes, centres[c], reach, inner)
        widest = 0
        for k in range(inner.size):
            code = block[inner[k]]
            if code:
                size = _take_zone(block, inner[k], code, offsets, stack)
                table[code, size] += 1
                widest = max(widest, size)
        out[:, c] = 0.0
        _add_emphasis(table[low : high + 1, : widest + 1], levels[low : high + 1], out[:, c])


@compiled
def _take_zone(block, start, code, offsets, stack):
    """Empty the zone of equal voxels around ``start`` and return its size."""
    stack[0] = start
    block[start] = 0
    waiting, size = 1, 0
    while waiting:
        waiting -= 1
        p = stack[waiting]
        size += 1
        for a in range(offsets.size):
            for q in (p + offsets[a], p - offsets[a]):
                if block[q] == code:
                    block[q] = 0
                    stack[waiting] = q
                    waiting += 1
    return size


@compiled
def glrlm_of_boxes(codes, centres, reach, inner, block_size, offsets, lines, levels, weights, out):
    """Write the statistics of the runs in the box around each centre to ``out`` (16, centres), NaN without any."""
    block = np.zeros(block_size, np.int64)
    table = np.zeros((levels.size, inner.size + 1))
    on_line = np.zeros(inner.size, np.int64)
    for c in range(centres.size):
        low, high = _fill(block, codes, centres[c], reach, inner)
        out[:, c] = 0.0
        used = widest = 0
        for a in range(offsets.size):
            if _line_holds_two(block, inner, lines[a], on_line):
                weight = weights[a] if weights.size else 1.0
                widest = max(widest, _add_runs(block, inner, offsets[a], weight, table))
            if widest and (not weights.size or a == offsets.size - 1):
                _add_emphasis(table[low : high + 1, : widest + 1], levels[low : high + 1], out[:, c])
                used += 1
                widest = 0
        out[:, c] *= 1.0 / used if used else np.nan


@compiled
def _line_holds_two(block, inner, line, on_line):
    on_line[:] = 0
    for k in range(inner.size):
        if block[inner[k]]:
            if on_line[line[k]]:
                return True
            on_line[line[k]] = 1
    return False


@compiled
def _add_runs(block, inner, offset, weight, table):
    longest = 0
    for k in range(inner.size):
        p = inner[k]
        code = block[p]
        if code and block[p - offset] != code:
            length = 1
            while block[p + length * offset] == code:
                length += 1
            table[code, length] += weight
            longest = max(longest, length)
    return longest


@compiled
def _add_emphasis(table, levels, out):
    """Add the statistics of a table (levels, sizes from 0 up) to ``out`` in the order of ``EMPHASIS``; empty it."""
    total = table.sum()
    by_size = np.zeros(table.shape[1])
    mean_level = mean_size = 0.0
    for i in range(table.shape[0]):
        by_level = 0.0
        for j in range(1, table.shape[1]):
            if table[i, j] > 0:
                p = table[i, j] / total
                by_level += p
                by_size[j] += p
                low, high = 1 / (levels[i] * levels[i]), levels[i] * levels[i]
                out[4] += p * low / (j * j)
                out[5] += p * high / (j * j)
                out[6] += p * low * (j * j)
                out[7] += p * high * (j * j)
                out[14] -= p * np.log2(p + EPSILON)
        out[2] += by_level / (levels[i] * levels[i])
        out[3] += by_level * (levels[i] * levels[i])
        out[8] += by_level * by_level * total
        out[9] += by_level * by_level
        mean_level += by_level * levels[i]
    for j in range(1, table.shape[1]):
        out[0] += by_size[j] / (j * j)
        out[1] += by_size[j] * (j * j)
        out[10] += by_size[j] * by_size[j] * total
        out[11] += by_size[j] * by_size[j]
        mean_size += by_size[j] * j
    for i in range(table.shape[0]):
        out[12] += table[i].sum() / total * (levels[i] - mean_level) ** 2
    for j in range(1, table.shape[1]):
        out[13] += by_size[j] * (j - mean_size) ** 2
    out[15] += 1 / mean_size
    table[:] = 0.0


@compiled
def ngtdm_of_boxes(codes, centres, reach, inner, block_size, around, levels, flat_coarseness, out):
    """Write Busyness, Coarseness, Complexity, Contrast and Strength of each box to ``out`` (5, centres)."""
    block = np.zeros(block_size, np.int64)
    count = np.zeros(levels.size)
    difference = np.zeros(levels.size)
    for c in range(centres.size):
        low, high = _fill(block, codes, centres[c], reach, inner)
        count[low : high + 1] = 0.0
        difference[low : high + 1] = 0.0
        for k in range(inner.size):
            p = inner[k]
            if block[p]:
                total, neighbours = 0.0, 0
                for a in range(around.size):
                    other = block[p + around[a]]
                    total += levels[other]
                    neighbours += other > 0
                count[block[p]] += 1
                if neighbours:
                    difference[block[p]] += abs(levels[block[p]] - total / neighbours)
        own = count[low : high + 1] > 0
        _tone_features(
            count[low : high + 1][own],
            difference[low : high + 1][own],
            levels[low : high + 1][own],
            flat_coarseness,
            out[:, c],
        )


@compiled
def _tone_features(count, difference, levels, flat_coarseness, out):
    n = count.size
    voxels = count.sum()
    p = count / voxels
    weighted = (p * difference).sum()
    total = difference.sum()
    contrast = complexity = strength = spread = 0.0
    for i in range(n):
        for j in range(n):
            gap = abs(levels[i] - levels[j])
            contrast += p[i] * p[j] * gap * gap
            spread += abs(levels[i] * count[i] - levels[j] * count[j])
            complexity += gap * (p[i] * difference[i] + p[j] * difference[j]) / (p[i] + p[j])
            strength += (p[i] + p[j]) * gap * gap
    out[0] = weighted / (spread / voxels) if spread > 0 else 0.0
    out[1] = 1 / weighted if weighted > 0 else flat_coarseness
    out[2] = complexity / voxels
    out[3] = contrast * total / voxels / (n * (n - 1)) if n > 1 else 0.0
    out[4] = strength / total if total > 0 else 0.0
