"""The loops over voxels: co-occurrences, equal neighbours, neighbour sums, runs and zones, compiled by numba.

All take the flat padded grid of :class:`hccoutcome.radiomics.levelgrid.LevelGrid` (codes 0 outside, 1..n inside), the
stretches of rows that hold the region, and flat steps to neighbours, one of each opposite pair unless stated. Loops
over slices of a row are written so that the compiler turns them into vector instructions; random access is kept to the
histograms.
"""

from __future__ import annotations

import numba
import numpy as np

COUNT_SHIFT = 40
"""A neighbour sum holds the sum of levels in its low bits and the number of neighbours from this bit up."""

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def count_pairs(codes, rows, offsets, table):
    """Add every ordered pair (voxel, voxel + offset) to ``table``, uint32, shape (offsets, n + 1, n + 1).

    Row or column 0 collects neighbours outside the region, which saves a branch; the caller leaves it out.
    """
    width = table.shape[1]
    square = width * width
    flat = table.reshape(table.size)
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            code = np.int64(codes[p])
            if code:
                cell = code * width
                for a in range(offsets.size):
                    flat[cell + np.int64(codes[p + offsets[a]])] += np.uint32(1)
                    cell += square


@compiled
def mark_equal_neighbours(codes, rows, offsets, ahead, behind):
    """Set bit a of ``ahead`` (``behind``), uint16, where the neighbour at +offset a (-offset a) has the same level."""
    for r in range(rows.shape[0]):
        lo = rows[r, 0]
        hi = rows[r, 1]
        here = codes[lo:hi]
        marks_ahead = ahead[lo:hi]
        marks_behind = behind[lo:hi]
        for a in range(offsets.size):
            step = offsets[a]
            bit = np.uint16(1 << a)
            there = codes[lo + step : hi + step]
            back = codes[lo - step : hi - step]
            for k in range(hi - lo):
                marks_ahead[k] |= np.uint16((here[k] == there[k]) & (here[k] != 0)) * bit
                marks_behind[k] |= np.uint16((here[k] == back[k]) & (here[k] != 0)) * bit


@compiled
def count_equal(codes, rows, ahead, behind, bits_set, table):
    """Add each voxel to ``table`` (n + 1, dependences), by its level and its number of equal neighbours."""
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            if codes[p]:
                table[codes[p], bits_set[ahead[p]] + bits_set[behind[p]]] += 1


@compiled
def count_close(codes, rows, offsets, levels, largest_difference, table):
    """Add each voxel to ``table`` (n + 1, dependences), by its level and its number of neighbours of a close level.

    ``offsets`` are the flat steps to all neighbours, both of each opposite pair.
    """
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            code = codes[p]
            if code:
                close = 0
                for a in range(offsets.size):
                    other = codes[p + offsets[a]]
                    if other and abs(levels[other] - levels[code]) <= largest_difference:
                        close += 1
                table[code, close] += 1


@compiled
def sum_differences(codes, rows, offsets, packed, levels, differences):
    """Add |level - mean level of the neighbours| of each voxel to ``differences`` (n + 1,); lone voxels add nothing.

    ``offsets`` are the flat steps to all neighbours, an even number, of which two are taken at a time. ``packed`` is
    int64: a voxel's level in the low bits and one neighbour from bit ``COUNT_SHIFT`` up.
    """
    buffer = np.empty((rows[:, 1] - rows[:, 0]).max(), np.int64)
    for r in range(rows.shape[0]):
        lo = rows[r, 0]
        hi = rows[r, 1]
        total = buffer[: hi - lo]
        total[:] = 0
        for a in range(offsets.size // 2):
            one = offsets[a]
            other = offsets[offsets.size - 1 - a]
            these = packed[lo + one : hi + one]
            those = packed[lo + other : hi + other]
            for k in range(hi - lo):
                total[k] += these[k] + those[k]
        for k in range(hi - lo):
            code = codes[lo + k]
            neighbours = total[k] >> COUNT_SHIFT
            if code and neighbours:
                mean = (total[k] & ((1 << COUNT_SHIFT) - 1)) / neighbours
                differences[code] += abs(levels[code] - mean)


@compiled
def count_runs(codes, rows, offsets, ahead, behind, table):
    """Add each straight run of two or more equal voxels to ``table`` (directions, n, lengths) at length - 1.

    A run along direction a starts where the next voxel is equal and the one before is not. All runs of a direction
    grow together, one voxel a round, and the list keeps those that go on: no branch to mispredict. Runs longer than
    the table are left out. Returns the length of the longest run.
    """
    ends = np.empty((rows[:, 1] - rows[:, 0]).sum() + 1, np.int32)
    longest = 1
    for a in range(offsets.size):
        growing = 0
        for r in range(rows.shape[0]):
            for p in range(rows[r, 0], rows[r, 1]):
                ends[growing] = p
                growing += ((ahead[p] & ~behind[p]) >> a) & 1
        length = 1
        while growing:
            length += 1
            kept = 0
            for k in range(growing):
                end = np.int64(ends[k]) + offsets[a]
                goes_on = (ahead[end] >> a) & 1
                if length <= table.shape[2]:
                    table[a, np.int64(codes[end]) - 1, length - 1] += np.uint32(1 - goes_on)
                ends[kept] = end
                kept += goes_on
            growing = kept
        longest = max(longest, length)
    return longest


@compiled
def _root(parent, p):
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@compiled
def _join(parent, p, marks, offsets, first, covered):
    """Join voxel p to its equal neighbours behind it; a root is the first voxel of its zone."""
    top = p
    while marks:
        a = first[marks]
        marks &= ~covered[a]
        other = np.int64(_root(parent, p - offsets[a]))
        parent[max(top, other)] = min(top, other)
        top = min(top, other)
    parent[p] = top


@compiled
def find_zones(codes, rows, offsets, behind, first, covered, zone_code, zone_size):
    """Write the code and the size of each connected zone of equal voxels; return the number of zones.

    Each voxel is joined to its equal neighbours behind it. ``first`` names for each 13-bit mask the neighbour to join
    first, and ``covered`` the neighbours that touch that one, so that their own joins are already made.
    """
    parent = np.empty(codes.size, np.int32)
    size = np.zeros(codes.size, np.int32)
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            _join(parent, np.int64(p), behind[p], offsets, first, covered)
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            if codes[p]:
                size[_root(parent, p)] += 1
    zones = 0
    for r in range(rows.shape[0]):
        for p in range(rows[r, 0], rows[r, 1]):
            if size[p]:
                zone_code[zones] = codes[p]
                zone_size[zones] = size[p]
                zones += 1
    return zones
