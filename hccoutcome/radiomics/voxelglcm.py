"""Co-occurrence features of the box around each voxel, from the few pairs that a box holds."""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON, ROUNDING
from hccoutcome.radiomics.kernels import compiled
from hccoutcome.radiomics.symmetric import largest_eigenvalue
from hccoutcome.radiomics.symmetriclanes import LANES
from hccoutcome.radiomics.voxelglcmlanes import MOST_LEVELS, features_of_lanes, local_levels, scratch_lanes
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


@compiled
def glcm_of_boxes(codes, centres, reach, inner, block_size, offsets, levels, symmetrical, weights, with_mcc, out):
    """Write the features of the box around each centre to ``out``, shape (features, centres), NaN without any pair.

    Args:
        codes: Flat padded grid of level codes, see ``LevelGrid``.
        centres: Flat places in it.
        reach: Flat step in it to each voxel of the box.
        inner: Place of that voxel in the block.
        block_size: Voxels of the block.
        offsets: Step in the block of each direction.
        levels: Grey level of each code, from place 1 up.
        symmetrical: Count each pair in both orders.
        weights: Weight of each direction for one merged matrix, or none for the mean over the directions.
        with_mcc: Whether MCC is wanted, which takes most of the time; not with weights, see ``voxelmcc``.
        out: Results.
    """
    n = levels.size - 1
    block = np.zeros(block_size, np.int64)
    pairs = 2 * inner.size * (offsets.size if weights.size else 1)
    matrix = np.zeros((n + 1, n + 1))
    cells = np.empty((min(pairs, n * n) + 1, 2), np.int64)
    margins = np.zeros((2, n + 1))
    by_sum = np.zeros(2 * int(levels[-1]) + 1)
    by_difference = np.zeros(int(levels[-1]) + 1)
    values = np.zeros(out.shape[0])
    mean = np.zeros(out.shape[0])
    work = np.zeros((3, n + 2, n + 2) if with_mcc else (3, 1, 1))
    closeness = _closeness(int(levels[-1]))
    counted = np.arange(2 * inner.size + 1)
    count_logarithms = counted * np.log2(np.maximum(counted, 1))
    in_lanes = symmetrical and not weights.size and offsets.size <= LANES
    scratch = scratch_lanes(with_mcc)
    rank = np.zeros(levels.size, np.int64)
    own = np.zeros(MOST_LEVELS, np.int64)
    logarithms = np.log2(np.maximum(np.arange(0 if weights.size else 2 * inner.size + 1), 1))
    for c in range(centres.size):
        for k in range(inner.size):
            block[inner[k]] = codes[centres[c] + reach[k]]
        if in_lanes:
            n, span = local_levels(block, inner, levels, rank, own)
            if n:
                features_of_lanes(
                    block, inner, offsets, n, span, own, count_logarithms, closeness, levels.size > 2, scratch, values
                )
                out[:, c] = values
                continue
        mean[:] = 0.0
        used = 0
        found = 0
        for a in range(offsets.size):
            weight = weights[a] if weights.size else 1.0
            found = _count(block, inner, offsets[a], symmetrical, weight, matrix, cells, found)
            if found and (not weights.size or a == offsets.size - 1):
                _features(
                    matrix, cells[:found], levels, margins, by_sum, by_difference, work, logarithms, closeness, values
                )
                for f in range(values.size):
                    mean[f] += values[f]
                used += 1
                found = 0
        out[:, c] = mean / used  # NaN without any pair


@compiled
def _count(block, inner, offset, symmetrical, weight, matrix, cells, found):
    """Add the pairs along one direction to ``matrix`` and list its new cells; return how many there are now."""
    for k in range(inner.size):
        i = block[inner[k]]
        j = block[inner[k] + offset]
        if i and j and weight > 0:
            if matrix[i, j] == 0.0:
                cells[found, 0], cells[found, 1] = i, j
                found += 1
            matrix[i, j] += weight
            if symmetrical:
                if matrix[j, i] == 0.0:
                    cells[found, 0], cells[found, 1] = j, i
                    found += 1
                matrix[j, i] += weight
    return found


@compiled
def _log2(count, logarithms):
    """Return the logarithm of a count, read from the table where counts are whole."""
    return logarithms[int(count)] if logarithms.size else np.log2(count)


@compiled
def _features(matrix, cells, levels, margins, by_sum, by_difference, work, logarithms, closeness, values):
    """Write all features of the matrix with these cells to ``values``, and empty the matrix and the sums.

    Everything is counted, and divided by the number of pairs at the end. PyRadiomics' epsilon inside the logarithms
    changes an entropy by less than 1e-14 here, where no probability is below 1e-4; but see the weighted pairs.
    """
    values[:] = 0.0
    total = 0.0
    low = high = cells[0, 0]
    for c in range(cells.shape[0]):
        i, j = cells[c]
        count = matrix[i, j]
        low = min(low, i, j)
        high = max(high, i, j)
        total += count
        margins[0, i] += count
        margins[1, j] += count
        by_sum[int(levels[i] + levels[j])] += count
        by_difference[int(abs(levels[i] - levels[j]))] += count
        values[AUTOCORRELATION] += count * (levels[i] * levels[j])
        values[ENERGY] += count * count
        values[ENTROPY] += count * _log2(count, logarithms)
        values[MAXIMUM] = max(values[MAXIMUM], count)
    values[AUTOCORRELATION] /= total
    values[ENERGY] /= total * total
    values[ENTROPY] = _log2(total, logarithms) - values[ENTROPY] / total
    values[MAXIMUM] /= total
    own = margins[:, low : high + 1]
    own_levels = levels[low : high + 1]
    sums = by_sum[int(2 * levels[low]) : int(2 * levels[high]) + 1]
    differences = by_difference[: int(levels[high] - levels[low]) + 1]
    _correlate(matrix, cells, levels, own, own_levels, total, logarithms, values)
    if not logarithms.size:
        _information_of_weighted(matrix, cells, own, margins, total, values)
    if work.shape[1] > 1:
        square = matrix[low : high + 1, low : high + 1]
        values[MCC] = _second_value(square, own, total, work, levels.size > 2)
    _sums(sums, 2 * levels[low], total, logarithms, values)
    _differences(differences, closeness, total, logarithms, values)
    for c in range(cells.shape[0]):
        matrix[cells[c, 0], cells[c, 1]] = 0.0
    own[:] = 0.0
    sums[:] = 0.0
    differences[:] = 0.0


@compiled
def _correlate(matrix, cells, levels, margins, own_levels, total, logarithms, values):
    """Add what relates the two levels of a pair: means, variance, correlation and shared information."""
    mean_x = mean_y = entropy_x = entropy_y = 0.0
    for k in range(own_levels.size):
        mean_x += margins[0, k] * own_levels[k]
        mean_y += margins[1, k] * own_levels[k]
        if margins[0, k] > 0:
            entropy_x += margins[0, k] * _log2(margins[0, k], logarithms)
        if margins[1, k] > 0:
            entropy_y += margins[1, k] * _log2(margins[1, k], logarithms)
    mean_x /= total
    mean_y /= total
    entropy_x = _log2(total, logarithms) - entropy_x / total
    entropy_y = _log2(total, logarithms) - entropy_y / total
    variance_x = variance_y = covariance = 0.0
    for k in range(own_levels.size):
        variance_x += margins[0, k] * (own_levels[k] - mean_x) ** 2
        variance_y += margins[1, k] * (own_levels[k] - mean_y) ** 2
    for c in range(cells.shape[0]):
        i, j = cells[c]
        covariance += matrix[i, j] * (levels[i] - mean_x) * (levels[j] - mean_y)
    values[JOINT_AVERAGE] = mean_x
    values[SUM_AVERAGE] = mean_x + mean_y
    values[SUM_SQUARES] = variance_x / total
    flat = min(variance_x, variance_y) <= (ROUNDING * levels[-1]) ** 2 * total
    deviations = np.sqrt(variance_x / total) * np.sqrt(variance_y / total)
    values[CORRELATION] = 1.0 if flat else covariance / total / (deviations + EPSILON)
    shared = entropy_x + entropy_y - values[ENTROPY]
    largest = max(entropy_x, entropy_y)
    values[IMC1] = -shared / largest if largest > ROUNDING else 0.0
    values[IMC2] = np.sqrt(-np.expm1(-2 * shared)) if shared > ROUNDING else 0.0


@compiled
def _information_of_weighted(matrix, cells, own, margins, total, values):
    """Write the shared information of weighted pairs with PyRadiomics' epsilon in every logarithm.

    Weights make probabilities as small as the epsilon, which then decides.
    """
    entropy = crossed = product = entropy_x = entropy_y = 0.0
    for c in range(cells.shape[0]):
        i, j = cells[c]
        p = matrix[i, j] / total
        entropy -= p * np.log2(p + EPSILON)
        crossed -= p * np.log2(margins[0, i] / total * (margins[1, j] / total) + EPSILON)
    for i in range(own.shape[1]):
        x, y = own[0, i] / total, own[1, i] / total
        entropy_x -= x * np.log2(x + EPSILON)
        entropy_y -= y * np.log2(y + EPSILON)
        for j in range(own.shape[1]):
            both = x * (own[1, j] / total)
            product -= both * np.log2(both + EPSILON)
    largest = max(entropy_x, entropy_y)
    shared = product - entropy
    values[IMC1] = (entropy - crossed) / largest if largest > ROUNDING else 0.0
    values[IMC2] = np.sqrt(-np.expm1(-2 * shared)) if shared > ROUNDING else 0.0


@compiled
def _sums(by_sum, first, total, logarithms, values):
    """Add what depends on the sum of the two levels."""
    entropy = tendency = shade = prominence = 0.0
    for k in range(by_sum.size):
        count = by_sum[k]
        if count > 0:
            away = first + k - values[SUM_AVERAGE]
            entropy += count * _log2(count, logarithms)
            tendency += count * away * away
            shade += count * away * away * away
            prominence += count * (away * away) * (away * away)
    values[SUM_ENTROPY] = _log2(total, logarithms) - entropy / total
    values[TENDENCY] = tendency / total
    values[SHADE] = shade / total
    values[PROMINENCE] = prominence / total


@compiled
def _closeness(most):
    """Return the weights of a difference k in Id, Idm, Idn, Idmn and InverseVariance, shape (5, most)."""
    weights = np.zeros((5, most))
    for k in range(most):
        weights[0, k] = 1 / (1 + k)
        weights[1, k] = 1 / (1 + k * k)
        weights[2, k] = 1 / (1 + k / most)
        weights[3, k] = 1 / (1 + (k * k) / (most * most))
        weights[4, k] = 1 / (k * k) if k else 0.0
    return weights


@compiled
def _differences(by_difference, closeness, total, logarithms, values):
    """Add what depends on the difference of the two levels."""
    entropy = mean = square = id_ = idm = idn = idmn = inverse = 0.0
    for k in range(by_difference.size):
        count = by_difference[k]
        if count > 0:
            entropy += count * _log2(count, logarithms)
            mean += count * k
            square += count * (k * k)
            id_ += count * closeness[0, k]
            idm += count * closeness[1, k]
            idn += count * closeness[2, k]
            idmn += count * closeness[3, k]
            inverse += count * closeness[4, k]
    mean /= total
    variance = 0.0
    for k in range(by_difference.size):
        variance += by_difference[k] * ((k - mean) * (k - mean))
    values[DIFFERENCE_ENTROPY] = _log2(total, logarithms) - entropy / total
    values[DIFFERENCE_AVERAGE] = mean
    values[DIFFERENCE_VARIANCE] = variance / total
    values[CONTRAST] = square / total
    values[ID] = id_ / total
    values[IDM] = idm / total
    values[IDN] = idn / total
    values[IDMN] = idmn / total
    values[INVERSE_VARIANCE] = inverse / total


@compiled
def _second_value(matrix, margins, total, work, several_levels):
    """Return the maximal correlation coefficient; 1 by convention where the whole region has a single level."""
    if not several_levels:
        return 1.0
    scaled, gram, roots = work[0], work[1], work[2]
    rows, columns = _scale(matrix, margins, total, scaled, roots)
    if min(rows, columns) < 2:
        return 0.0
    for i in range(rows):
        for j in range(i + 1):
            total = 0.0
            for k in range(columns):
                total += scaled[i, k] * scaled[j, k]
            gram[i, j] = gram[j, i] = total
    return np.sqrt(largest_eigenvalue(gram[:rows, :rows], roots[0], roots[1]))


@compiled
def _scale(matrix, margins, total, scaled, roots):
    """Write p / sqrt(px py) - sqrt(px py) of the rows and columns that are not empty; return how many there are.

    The difference takes away the eigenvalue 1 of the vector sqrt(px).
    """
    rows = columns = 0
    for j in range(margins.shape[1]):
        if margins[1, j] > 0:
            roots[1, columns] = np.sqrt(margins[1, j])
            columns += 1
    for i in range(margins.shape[1]):
        if margins[0, i] > 0:
            root = np.sqrt(margins[0, i])
            column = 0
            for j in range(margins.shape[1]):
                if margins[1, j] > 0:
                    both = root * roots[1, column]
                    scaled[rows, column] = matrix[i, j] / both - both / total
                    column += 1
            rows += 1
    return rows, columns
