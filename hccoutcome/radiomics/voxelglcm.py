"""Co-occurrence features of the box around each voxel, from the few pairs that a box holds."""

from __future__ import annotations

import numpy as np

from hccoutcome.radiomics.correlation import EPSILON, ROUNDING
from hccoutcome.radiomics.features import GLCM
from hccoutcome.radiomics.kernels import compiled

(
    AUTOCORRELATION,
    PROMINENCE,
    SHADE,
    TENDENCY,
    CONTRAST,
    CORRELATION,
    DIFFERENCE_AVERAGE,
    DIFFERENCE_ENTROPY,
    DIFFERENCE_VARIANCE,
    ID,
    IDM,
    IDMN,
    IDN,
    IMC1,
    IMC2,
    INVERSE_VARIANCE,
    JOINT_AVERAGE,
    ENERGY,
    ENTROPY,
    MCC,
    MAXIMUM,
    SUM_AVERAGE,
    SUM_ENTROPY,
    SUM_SQUARES,
) = range(len(GLCM))


@compiled
def glcm_of_boxes(codes, centres, reach, inner, block_size, offsets, levels, symmetrical, weights, with_mcc, out):  # type: ignore[no-untyped-def]
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
        with_mcc: Whether MCC is wanted, which takes most of the time.
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
    for c in range(centres.size):
        for k in range(inner.size):
            block[inner[k]] = codes[centres[c] + reach[k]]
        out[:, c] = 0.0
        used = 0
        found = 0
        for a in range(offsets.size):
            weight = weights[a] if weights.size else 1.0
            found = _count(block, inner, offsets[a], symmetrical, weight, matrix, cells, found)
            if found and (not weights.size or a == offsets.size - 1):
                _features(matrix, cells[:found], levels, margins, by_sum, by_difference, with_mcc, values)
                out[:, c] += values
                used += 1
                found = 0
        out[:, c] *= 1.0 / used if used else np.nan


@compiled
def _count(block, inner, offset, symmetrical, weight, matrix, cells, found):  # type: ignore[no-untyped-def]
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
def _features(matrix, cells, levels, margins, by_sum, by_difference, with_mcc, values):  # type: ignore[no-untyped-def]
    """Write all features of the matrix with these cells to ``values``, and empty the matrix and the sums."""
    values[:] = 0.0
    total = 0.0
    low = high = cells[0, 0]
    for c in range(cells.shape[0]):
        i, j = cells[c]
        total += matrix[i, j]
        low = min(low, i, j)
        high = max(high, i, j)
    for c in range(cells.shape[0]):
        i, j = cells[c]
        matrix[i, j] /= total
        p = matrix[i, j]
        margins[0, i] += p
        margins[1, j] += p
        by_sum[int(levels[i] + levels[j])] += p
        by_difference[int(abs(levels[i] - levels[j]))] += p
        values[AUTOCORRELATION] += p * (levels[i] * levels[j])
        values[ENERGY] += p * p
        values[ENTROPY] -= p * np.log2(p + EPSILON)
        values[MAXIMUM] = max(values[MAXIMUM], p)
    mean_x = mean_y = 0.0
    for i in range(low, high + 1):
        mean_x += margins[0, i] * levels[i]
        mean_y += margins[1, i] * levels[i]
    _correlate(matrix, cells, levels, margins[:, low : high + 1], levels[low : high + 1], mean_x, mean_y, values)
    if with_mcc:
        values[MCC] = _second_value(matrix[low : high + 1, low : high + 1], margins[:, low : high + 1], levels.size > 2)
    _sums(by_sum[int(2 * levels[low]) : int(2 * levels[high]) + 1], 2 * levels[low], mean_x + mean_y, values)
    _differences(by_difference[: int(levels[high] - levels[low]) + 1], levels[-1], values)
    for c in range(cells.shape[0]):
        matrix[cells[c, 0], cells[c, 1]] = 0.0
    margins[:, low : high + 1] = 0.0
    by_sum[int(2 * levels[low]) : int(2 * levels[high]) + 1] = 0.0
    by_difference[: int(levels[high] - levels[low]) + 1] = 0.0


@compiled
def _correlate(matrix, cells, levels, margins, own_levels, mean_x, mean_y, values):  # type: ignore[no-untyped-def]
    """Add what relates the two levels of a pair: means, variance, correlation and shared information."""
    variance_x = variance_y = entropy_x = entropy_y = covariance = 0.0
    for k in range(own_levels.size):
        variance_x += margins[0, k] * (own_levels[k] - mean_x) ** 2
        variance_y += margins[1, k] * (own_levels[k] - mean_y) ** 2
        if margins[0, k] > 0:
            entropy_x -= margins[0, k] * np.log2(margins[0, k])
        if margins[1, k] > 0:
            entropy_y -= margins[1, k] * np.log2(margins[1, k])
    for c in range(cells.shape[0]):
        i, j = cells[c]
        covariance += matrix[i, j] * (levels[i] - mean_x) * (levels[j] - mean_y)
    values[JOINT_AVERAGE] = mean_x
    values[SUM_SQUARES] = variance_x
    deviations = np.sqrt(variance_x) * np.sqrt(variance_y)
    flat = min(variance_x, variance_y) <= (ROUNDING * levels[-1]) ** 2
    values[CORRELATION] = 1.0 if flat else covariance / (deviations + EPSILON)
    shared = entropy_x + entropy_y - values[ENTROPY]
    largest = max(entropy_x, entropy_y)
    values[IMC1] = -shared / largest if largest > ROUNDING else 0.0
    values[IMC2] = np.sqrt(-np.expm1(-2 * shared)) if shared > ROUNDING else 0.0


@compiled
def _sums(by_sum, first, centre, values):  # type: ignore[no-untyped-def]
    for k in range(by_sum.size):
        p = by_sum[k]
        if p > 0:
            away = first + k - centre
            values[SUM_AVERAGE] += p * (first + k)
            values[SUM_ENTROPY] -= p * np.log2(p + EPSILON)
            values[TENDENCY] += p * away**2
            values[SHADE] += p * away**3
            values[PROMINENCE] += p * away**4


@compiled
def _differences(by_difference, most, values):  # type: ignore[no-untyped-def]
    for k in range(by_difference.size):
        p = by_difference[k]
        if p > 0:
            values[DIFFERENCE_AVERAGE] += p * k
            values[CONTRAST] += p * k * k
            values[DIFFERENCE_ENTROPY] -= p * np.log2(p + EPSILON)
            values[ID] += p / (1 + k)
            values[IDM] += p / (1 + k * k)
            values[IDN] += p / (1 + k / most)
            values[IDMN] += p / (1 + k * k / most**2)
            if k:
                values[INVERSE_VARIANCE] += p / (k * k)
    for k in range(by_difference.size):
        values[DIFFERENCE_VARIANCE] += by_difference[k] * (k - values[DIFFERENCE_AVERAGE]) ** 2


@compiled
def _second_value(matrix, margins, several_levels):  # type: ignore[no-untyped-def]
    """Return the maximal correlation coefficient; 1 by convention where the whole region has a single level."""
    if not several_levels:
        return 1.0
    rows = np.flatnonzero(margins[0])
    columns = np.flatnonzero(margins[1])
    size = min(rows.size, columns.size)
    if size < 2:
        return 0.0
    scaled = np.empty((rows.size, columns.size))
    for i in range(rows.size):
        for j in range(columns.size):
            p = matrix[rows[i], columns[j]]
            scaled[i, j] = p / np.sqrt(margins[0, rows[i]] * margins[1, columns[j]]) - np.sqrt(
                margins[0, rows[i]] * margins[1, columns[j]]
            )
    return np.sqrt(_largest_eigenvalue(_gram(scaled)))


@compiled
def _gram(a):  # type: ignore[no-untyped-def]
    result = np.zeros((a.shape[0], a.shape[0]))
    for i in range(a.shape[0]):
        for j in range(i + 1):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * a[j, k]
            result[i, j] = result[j, i] = total
    return result


@compiled
def _largest_eigenvalue(m):  # type: ignore[no-untyped-def]
    """Return the largest eigenvalue of a small symmetric matrix by Jacobi rotations, 0 where it is rounding."""
    n = m.shape[0]
    scale = 0.0
    for i in range(n):
        scale += m[i, i]
    if scale < ROUNDING:
        return 0.0
    for _ in range(30):
        if _beside_diagonal(m) < (1e-14 * scale) ** 2:
            break
        for i in range(1, n):
            for j in range(i):
                if m[i, j] != 0.0:
                    _rotate(m, i, j)
    best = 0.0
    for i in range(n):
        best = max(best, m[i, i])
    return best if best > ROUNDING else 0.0


@compiled
def _beside_diagonal(m):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(i):
            total += m[i, j] * m[i, j]
    return total


@compiled
def _rotate(m, i, j):  # type: ignore[no-untyped-def]
    """Make m[i, j] zero by a rotation in the plane of i and j."""
    slope = (m[j, j] - m[i, i]) / (2 * m[i, j])
    tangent = (1.0 if slope >= 0 else -1.0) / (abs(slope) + np.sqrt(slope * slope + 1))
    cosine = 1 / np.sqrt(tangent * tangent + 1)
    sine = tangent * cosine
    for k in range(m.shape[0]):
        first, second = m[i, k], m[j, k]
        m[i, k], m[j, k] = cosine * first - sine * second, sine * first + cosine * second
    for k in range(m.shape[0]):
        first, second = m[k, i], m[k, j]
        m[k, i], m[k, j] = cosine * first - sine * second, sine * first + cosine * second
