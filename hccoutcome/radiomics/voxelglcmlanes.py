"""Co-occurrence features of a box of few levels: all directions at once, one direction a lane of vector registers.

A table of counts has the directions as its last axis, so that the compiler handles them together. Only symmetrical
tables without weights: then both margins are one, and every sum of whole numbers is exact. Features that are linear in
the probabilities are computed from the mean over the directions, the others for each.
"""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON, ROUNDING
from hccoutcome.radiomics.kernels import compiled
from hccoutcome.radiomics.symmetriclanes import LANES, largest_magnitudes
from hccoutcome.radiomics.voxelglcmrows import (
    AUTOCORRELATION,
    CONTRAST,
    CORRELATION,
    DIFFERENCE_AVERAGE,
    DIFFERENCE_ENTROPY,
    DIFFERENCE_VARIANCE,
    ENERGY,
    ENTROPY,
    ID,
    IDM,
    IDMN,
    IDN,
    IMC1,
    IMC2,
    INVERSE_VARIANCE,
    JOINT_AVERAGE,
    MAXIMUM,
    MCC,
    PROMINENCE,
    SHADE,
    SUM_AVERAGE,
    SUM_ENTROPY,
    SUM_SQUARES,
    TENDENCY,
)

MOST_LEVELS, LONGEST_RANGE = 32, 96
"""Levels in a box, and their range, up to which the tables are small enough for this."""

(
    TOTAL, INVERSE, PAIR_LOGS, SQUARES, LARGEST, LEVEL_LOGS, DIFFERENCE_LOGS, SUM_LOGS,
    FIRST_DIFFERENCE, SECOND_DIFFERENCE, FIRST, SECOND, THIRD, FOURTH,
) = range(14)  # fmt: skip
"""Rows of the sums of each direction: pairs, 1 / pairs, c log2(c) of its counts..., moments of difference and sum."""


@compiled
def scratch_lanes(with_mcc):
    """Return the tables: counts, margins, sums, differences; and the matrices for MCC."""
    side = MOST_LEVELS + 1
    counts = np.zeros((side * side, LANES), np.uint16)
    histograms = np.zeros((MOST_LEVELS + 3 * LONGEST_RANGE + 4, LANES), np.uint16)
    sums = np.zeros((14, LANES))
    matrices = np.zeros((MOST_LEVELS * (MOST_LEVELS + 4) + 16 if with_mcc else 1, LANES))
    return counts, histograms, sums, matrices


@compiled
def local_levels(block, inner, levels, rank, own):
    """Replace the codes in the block by their rank in the box; return how many levels it holds and their range.

    Nothing is replaced, and 0 returned, where the levels are too many or too far apart.
    """
    low, high = levels.size, 0
    for k in range(inner.size):
        code = block[inner[k]]
        if code:
            low, high = min(low, code), max(high, code)
            rank[code] = 1
    n = 0
    for code in range(low, high + 1):
        if rank[code]:
            n += 1
            rank[code] = n
            if n <= MOST_LEVELS:
                own[n - 1] = int(levels[code])
    reach = int(levels[high] - levels[low]) if n else 0
    fits = n <= MOST_LEVELS and reach <= LONGEST_RANGE
    if fits:
        for k in range(inner.size):
            block[inner[k]] = rank[block[inner[k]]]
    for code in range(low, high + 1):
        rank[code] = 0
    return (n, reach) if fits else (0, 0)


@compiled
def features_of_lanes(block, inner, offsets, n, reach, own, logarithms, closeness, several, scratch, values):
    """Write the mean of each feature over the directions that hold pairs to ``values``; NaN without any.

    Args:
        block: Ranks of the levels in the box, 0 where it does not look.
        inner: Place of the box's voxels in it.
        offsets: Step in it of each direction, at most ``LANES``.
        n: Levels in the box.
        reach: Their range.
        own: The levels, ascending.
        logarithms: c log2(c) of each count c.
        closeness: Weights of a difference, see ``voxelglcm``.
        several: Whether the whole region has more than one level.
        scratch: See :func:`scratch_lanes`; the matrices are tiny where MCC is not wanted.
        values: Results.
    """
    counts, histograms, sums, matrices = scratch
    side = n + 1
    table = counts[: side * side]
    margins = histograms[:n]
    by_difference = histograms[n : n + reach + 1]
    by_sum = histograms[n + reach + 1 : n + 3 * reach + 2]
    _count(block, inner, offsets, side, table.reshape(table.size))
    histograms[: n + 3 * reach + 2] = 0
    sums[:] = 0.0
    _fold(table, side, own, histograms, n, n + reach + 1, sums, logarithms)
    values[:] = 0.0
    used = _shares(margins, own, sums, logarithms)
    if used == 0:
        values[:] = np.nan
    else:
        _differences(by_difference, closeness, sums, logarithms, values)
        _sums(by_sum, own[0] + own[n - 1], own[0], sums, logarithms, values)
        _each_direction(offsets.size, sums, values)
        if matrices.shape[0] > 1:
            _maximal_correlation(table, margins, side, several, offsets.size, sums, matrices, values)
        for f in range(values.size):
            values[f] /= used
    table[:] = 0


@compiled
def _count(block, inner, offsets, side, flat):
    """Count the ordered pairs; row and column 0 take those that leave the box."""
    for k in range(inner.size):
        place = inner[k]
        row = block[place] * side
        if row:
            for a in range(offsets.size):
                flat[np.uint64((row + block[place + offsets[a]]) * LANES + a)] += np.uint16(1)


@compiled
def _fold(table, side, own, histograms, differences, totals, sums, logarithms):
    """Add the transposed table to its upper half, and fill the histograms and the sums over pairs.

    Four counts are added at a time, as the quarters of one number of 64 bits: none grows beyond its 16.

    Args:
        table: Counts, shape (side * side, lanes).
        side: Levels and one.
        own: The levels.
        histograms: Margins, differences and sums, all 0, shape (rows, lanes).
        differences: Row where the differences begin.
        totals: Row where the sums begin.
        sums: See the names of its rows.
        logarithms: c log2(c) of each count c.
    """
    packed, target = table.view(np.uint64), histograms.view(np.uint64)
    for i in range(1, side):
        for j in range(i, side):
            upper, lower = i * side + j, j * side + i
            apart = differences + own[j - 1] - own[i - 1]
            total = totals + own[j - 1] + own[i - 1] - 2 * own[0]
            for q in range(packed.shape[1]):
                four = packed[upper, q] + packed[lower, q]
                packed[upper, q] = four
                target[i - 1, q] += four
                if i != j:
                    target[j - 1, q] += four
                    four += four
                target[apart, q] += four
                target[total, q] += four
            times = 1.0 if i == j else 2.0
            for a in range(table.shape[1]):
                count = table[upper, a]
                sums[PAIR_LOGS, a] += times * logarithms[count]
                sums[SQUARES, a] += times * (np.float64(count) * np.float64(count))
                sums[LARGEST, a] = max(sums[LARGEST, a], np.float64(count))


@compiled
def _shares(margins, own, sums, logarithms):
    """Fill the numbers of pairs and the logarithms of the margins; return how many directions hold pairs."""
    for i in range(margins.shape[0]):
        for a in range(LANES):
            sums[TOTAL, a] += margins[i, a]
            sums[LEVEL_LOGS, a] += logarithms[margins[i, a]]
    used = 0
    for a in range(LANES):
        if sums[TOTAL, a] > 0:
            sums[INVERSE, a] = 1 / sums[TOTAL, a]
            used += 1
    return used


@compiled
def _differences(by_difference, closeness, sums, logarithms, values):
    """Add what depends on the difference of the two levels."""
    first, second = sums[FIRST_DIFFERENCE], sums[SECOND_DIFFERENCE]
    for k in range(by_difference.shape[0]):
        share = 0.0
        for a in range(LANES):
            count = by_difference[k, a]
            share += count * sums[INVERSE, a]
            sums[DIFFERENCE_LOGS, a] += logarithms[count]
        for a in range(LANES):
            first[a] += by_difference[k, a] * k
            second[a] += by_difference[k, a] * (k * k)
        values[DIFFERENCE_AVERAGE] += share * k
        values[CONTRAST] += share * (k * k)
        values[ID] += share * closeness[0, k]
        values[IDM] += share * closeness[1, k]
        values[IDN] += share * closeness[2, k]
        values[IDMN] += share * closeness[3, k]
        values[INVERSE_VARIANCE] += share * closeness[4, k]
    for a in range(LANES):
        part = sums[INVERSE, a]
        values[DIFFERENCE_VARIANCE] += (sums[TOTAL, a] * second[a] - first[a] * first[a]) * part * part


@compiled
def _sums(by_sum, middle, low, sums, logarithms, values):
    """Add what depends on the sum of the two levels, and leave its moments about ``middle``."""
    square_differences = sums[SECOND_DIFFERENCE]
    for k in range(by_sum.shape[0]):
        away = float(k + 2 * low - middle)
        share = 0.0
        for a in range(LANES):
            count = by_sum[k, a]
            share += count * sums[INVERSE, a]
            sums[SUM_LOGS, a] += logarithms[count]
        for a in range(LANES):
            term = by_sum[k, a] * away
            sums[FIRST, a] += term
            sums[SECOND, a] += term * away
            sums[THIRD, a] += term * away * away
            sums[FOURTH, a] += term * away * away * away
        values[SUM_AVERAGE] += share * (k + 2 * low)
        values[AUTOCORRELATION] += share * ((k + 2 * low) * (k + 2 * low))
    values[JOINT_AVERAGE] = values[SUM_AVERAGE] / 2
    values[AUTOCORRELATION] = (values[AUTOCORRELATION] - values[CONTRAST]) / 4
    for a in range(LANES):
        n, part = sums[TOTAL, a], sums[INVERSE, a]
        if n > 0:
            one, two, three, four = sums[FIRST, a], sums[SECOND, a], sums[THIRD, a], sums[FOURTH, a]
            tendency, contrast = n * two - one * one, n * square_differences[a]
            values[TENDENCY] += tendency * part * part
            values[SHADE] += ((n * three - 3 * one * two) * n + 2 * one * one * one) * part * part * part
            fourth = ((n * four - 4 * one * three) * n + 6 * (one * one) * two) * n - 3 * (one * one) * (one * one)
            values[PROMINENCE] += fourth * (part * part) * (part * part)
            values[SUM_SQUARES] += (tendency + contrast) / 4 * part * part
            flat = tendency + contrast <= 0.0
            values[CORRELATION] += 1.0 if flat else (tendency - contrast) / (tendency + contrast + 4 * n * n * EPSILON)


@compiled
def _each_direction(directions, sums, values):
    """Add energies, entropies and shared information of each direction."""
    for a in range(directions):
        part = sums[INVERSE, a]
        if part > 0:
            whole = np.log2(sums[TOTAL, a])
            joint = whole - sums[PAIR_LOGS, a] * part
            single = whole - sums[LEVEL_LOGS, a] * part
            shared = 2 * single - joint
            values[ENTROPY] += joint
            values[ENERGY] += sums[SQUARES, a] * part * part
            values[MAXIMUM] += sums[LARGEST, a] * part
            values[DIFFERENCE_ENTROPY] += whole - sums[DIFFERENCE_LOGS, a] * part
            values[SUM_ENTROPY] += whole - sums[SUM_LOGS, a] * part
            values[IMC1] += -shared / single if single > ROUNDING else 0.0
            values[IMC2] += np.sqrt(-np.expm1(-2 * shared)) if shared > ROUNDING else 0.0


@compiled
def _maximal_correlation(table, margins, side, several, directions, sums, matrices, values):
    """Add the maximal correlation coefficient of each direction; 1 by convention where the region has one level.

    It is the largest eigenvalue, by magnitude, of p(i, j) / sqrt(px(i) px(j)) but for the 1 of the vector sqrt(px).
    """
    n = side - 1
    if not several:
        for a in range(directions):
            values[MCC] += 1.0 if sums[TOTAL, a] > 0 else 0.0
        return
    matrix = matrices[: n * n]
    inverse, root = matrices[n * n : n * n + n], matrices[n * n + n : n * n + 2 * n]
    for i in range(n):
        for a in range(matrix.shape[1]):
            count = np.float64(margins[i, a])
            inverse[i, a] = 1 / np.sqrt(count) if count > 0 else 0.0
            root[i, a] = np.sqrt(count * sums[INVERSE, a])
    for i in range(n):
        for j in range(i + 1):
            cell, count_row = i * n + j, (j + 1) * side + i + 1
            for a in range(matrix.shape[1]):
                share = np.float64(table[count_row, a]) * (inverse[i, a] * inverse[j, a])
                matrix[cell, a] = share - root[i, a] * root[j, a]
    found = largest_magnitudes(matrix, n, matrices[n * n :])
    for a in range(directions):
        values[MCC] += found[a]
