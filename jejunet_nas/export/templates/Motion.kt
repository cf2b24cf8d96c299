private const val ROWS = HEIGHT / {{ motion.STRIDE }} // of the grey picture
private const val COLUMNS = WIDTH / {{ motion.STRIDE }}

/** Returns the mean brightness of each square of {{ motion.STRIDE }} x {{ motion.STRIDE }} pixels of an image, rounded down. */
private fun grey(image: ByteArray): ByteArray {
    val sums = IntArray(ROWS * COLUMNS)
    for (y in 0 until HEIGHT) for (x in 0 until WIDTH) {
        val at = 3 * (y * WIDTH + x)
        sums[y / {{ motion.STRIDE }} * COLUMNS + x / {{ motion.STRIDE }}] += 77 * (image[at].toInt() and 0xff) +
            150 * (image[at + 1].toInt() and 0xff) + 29 * (image[at + 2].toInt() and 0xff)
    }
    return ByteArray(sums.size) { (sums[it] / {{ 256 * motion.STRIDE ** 2 }}).toByte() }
}

/** Returns the motion from the frame that [index] leads back to, one [step] further. */
private fun joined(index: IntArray, step: IntArray) = IntArray(step.size) { index[step[it]] }

{% if not policy.moves %}
private const val CELL_ROWS = {{ context_shape[1] }} // of the context
private const val CELL_COLUMNS = {{ context_shape[2] }}
private const val CHANNELS = {{ context_shape[3] }}
private const val CELL_HEIGHT = ROWS / CELL_ROWS // in pixels of the grey picture
private const val CELL_WIDTH = COLUMNS / CELL_COLUMNS
private const val CELL_PIXELS = CELL_HEIGHT * CELL_WIDTH
private const val PARTS_DOWN = 2 * CELL_PIXELS * CELL_HEIGHT // of the way from a cell to the next
private const val PARTS_RIGHT = 2 * CELL_PIXELS * CELL_WIDTH
private const val PARTS = PARTS_DOWN.toLong() * PARTS_RIGHT

/**
 * Returns a [context] as it looks after the motion [index]: each cell is taken from the mean place of
 * its pixels, bilinearly, in whole numbers, rounded to the nearest (halves up).
 */
private fun warped(context: ByteArray, index: IntArray): ByteArray {
    val result = ByteArray(context.size)
    for (row in 0 until CELL_ROWS) for (column in 0 until CELL_COLUMNS) {
        var rows = 0 // sums of the places of the cell's pixels
        var columns = 0
        for (i in row * CELL_HEIGHT until (row + 1) * CELL_HEIGHT) {
            for (j in i * COLUMNS + column * CELL_WIDTH until i * COLUMNS + (column + 1) * CELL_WIDTH) {
                rows += index[j] / COLUMNS
                columns += index[j] % COLUMNS
            }
        }
        val y = place(rows, CELL_ROWS, CELL_HEIGHT)
        val x = place(columns, CELL_COLUMNS, CELL_WIDTH)
        val (top, left) = y / PARTS_DOWN to x / PARTS_RIGHT
        val (here, beside) = cell(top, left) to cell(top, left + 1)
        val (below, across) = cell(top + 1, left) to cell(top + 1, left + 1)
        val down = (y % PARTS_DOWN).toLong()
        val right = (x % PARTS_RIGHT).toLong()
        val to = cell(row, column)
        for (c in 0 until CHANNELS) {
            val upper = (PARTS_RIGHT - right) * context[here + c] + right * context[beside + c]
            val lower = (PARTS_RIGHT - right) * context[below + c] + right * context[across + c]
            val total = (PARTS_DOWN - down) * upper + down * lower
            result[to + c] = (total + PARTS / 2).floorDiv(PARTS).toByte()
        }
    }
    return result
}

/** Returns where cells are taken from on one axis, in parts; [sum]: of the places of their pixels. */
private fun place(sum: Int, cells: Int, side: Int) =
    (2 * sum + CELL_PIXELS - CELL_PIXELS * side).coerceIn(0, (cells - 1) * 2 * CELL_PIXELS * side)

/** Returns where the values of a cell begin; of one beyond the last, those of the last. */
private fun cell(row: Int, column: Int) =
    (minOf(row, CELL_ROWS - 1) * CELL_COLUMNS + minOf(column, CELL_COLUMNS - 1)) * CHANNELS
{% if policy.ahead %}

{% endif %}
{% endif %}
{% if not (policy.moves or policy.ahead) %}
{% elif same_size %}
/** Returns the mask of the frame that [index] leads back to, moved. */
private fun moved(mask: ByteArray, index: IntArray) = ByteArray(mask.size) { mask[index[it]] }
{% else %}
/** Returns the mask of the frame that [index] leads back to, moved by whole pixels of the grey picture. */
private fun moved(mask: ByteArray, index: IntArray): ByteArray {
    val (rows, columns) = listOf(middles({{ mask_height }}, ROWS), middles({{ mask_width }}, COLUMNS))
    val (down, right) = listOf(middles(ROWS, {{ mask_height }}), middles(COLUMNS, {{ mask_width }}))
    return ByteArray(mask.size) {
        val place = index[rows[it / {{ mask_width }}] * COLUMNS + columns[it % {{ mask_width }}]]
        mask[down[place / COLUMNS] * {{ mask_width }} + right[place % COLUMNS]]
    }
}

/** Returns which of [to] pixels in a row is at the middle of each of [from]. */
private fun middles(from: Int, to: Int) = IntArray(from) { (2 * it + 1) * to / (2 * from) }
{% endif %}

/**
 * Finds where the pixels of a grey picture were in the picture before, by block matching: in pictures
 * of half the size first, then near what was found there. motion.py, of this bundle, finds the same.
 */
private class Motion {
    private val coarse = Search(ROWS / 2, COLUMNS / 2, {{ motion.COARSE_REACH }})
    private val fine = Search(ROWS, COLUMNS, {{ motion.FINE_REACH }})

    /** Returns for each pixel of [now] its place in [before]. */
    fun between(now: ByteArray, before: ByteArray): IntArray {
        coarse.down.fill(0)
        coarse.right.fill(0)
        coarse.run(half(now), half(before))
        for (y in 0 until ROWS) for (x in 0 until COLUMNS) {
            val rough = y / 2 * (COLUMNS / 2) + x / 2
            fine.down[y * COLUMNS + x] = 2 * coarse.down[rough]
            fine.right[y * COLUMNS + x] = 2 * coarse.right[rough]
        }
        fine.run(now, before)
        return IntArray(ROWS * COLUMNS) {
            val y = (it / COLUMNS + fine.down[it]).coerceIn(0, ROWS - 1)
            y * COLUMNS + (it % COLUMNS + fine.right[it]).coerceIn(0, COLUMNS - 1)
        }
    }

    private fun half(grey: ByteArray) = ByteArray(ROWS / 2 * (COLUMNS / 2)) {
        val at = it / (COLUMNS / 2) * 2 * COLUMNS + it % (COLUMNS / 2) * 2
        fun level(place: Int) = grey[place].toInt() and 0xff
        ((level(at) + level(at + 1) + level(at + COLUMNS) + level(at + COLUMNS + 1)) / 4).toByte()
    }
}

// Shifts are compared three at a time, neighbours in a row, with three numbers in one Long: of 21 bits
// each, the highest of which is free. This is 1.6 times as fast as one at a time.
private const val BITS = 21
private const val ONES = (1L shl 2 * BITS) or (1L shl BITS) or 1L
private const val FREE = ONES shl BITS - 1
private const val MOST = (1L shl BITS - 1) - 1 // the largest number

private inline fun three(number: (Int) -> Int) =
    number(0).toLong() or (number(1).toLong() shl BITS) or (number(2).toLong() shl 2 * BITS)

/** Returns how far each of three numbers is from another. */
private fun apart(these: Long, those: Long): Long {
    val less = (these or FREE) - those
    val below = (less.inv() and FREE) ushr BITS - 1 // 1 for each number that is below the other
    return (less xor FREE xor ((below shl BITS) - below)) + below
}

/** Returns the lesser of each of three numbers and another. */
private fun lesser(these: Long, those: Long): Long {
    val others = ((these or FREE) - those and FREE) ushr BITS - 1 // 1 for each that is not below
    return these xor (these xor those and (others shl BITS) - others)
}

/** Finds the shift of each pixel of a grey picture that fits best, at most [reach] from a given one. */
private class Search(private val rows: Int, private val columns: Int, private val reach: Int) {
    val down = IntArray(rows * columns) // the shifts: around which to search, then those found
    val right = IntArray(rows * columns)
    private val shifts = (-reach..reach).flatMap { y -> (-reach..reach).map { x -> y to x } }
        .sortedBy { (y, x) -> abs(y) + abs(x) } // the nearest first
    private val stride = columns + 2 * MARGIN
    private val padded = LongArray((rows + 2 * MARGIN) * stride) // each pixel and the next two
    private val around = IntArray(rows * columns) // places in `padded`
    private val least = LongArray(rows * columns) // costs, and below each the number of its shift
    private val window = LongArray(WINDOW * columns) // how far pixels are apart: a ring of rows
    private val sums = LongArray(columns + WINDOW - 1) // of each column of it; zeros on both sides
    private val costs = LongArray(2 * MARGIN + 1) { three { x -> STILL * abs(it - MARGIN + x) } }

    fun run(now: ByteArray, before: ByteArray) {
        pad(before)
        for (y in 0 until rows) for (x in 0 until columns) {
            val i = y * columns + x
            around[i] = (y + down[i] + MARGIN) * stride + x + right[i] + MARGIN
        }
        least.fill(FREE - ONES)
        for (y in -reach..reach) for (x in -reach..reach step 3) compare(now, y, x)
        for (i in least.indices) {
            val each = least[i]
            val best = minOf(each and MOST, each ushr BITS and MOST, each ushr 2 * BITS and MOST)
            val (y, x) = shifts[best.toInt() and (1 shl NUMBER_BITS) - 1]
            down[i] += y
            right[i] += x
        }
    }

    /** Keeps a picture, its edges repeated outwards. */
    private fun pad(grey: ByteArray) {
        var three = 0L
        for (y in rows + 2 * MARGIN - 1 downTo 0) {
            val row = (y - MARGIN).coerceIn(0, rows - 1) * columns
            for (x in stride - 1 downTo 0) {
                val level = grey[row + (x - MARGIN).coerceIn(0, columns - 1)].toLong() and 0xff
                three = (three shl BITS and Long.MAX_VALUE) or level
                padded[y * stride + x] = three
            }
        }
    }

    /** Computes what three shifts cost each pixel, [x] to the right and the next two; keeps the least. */
    private fun compare(now: ByteArray, y: Int, x: Int) {
        // Of a shift that is out of reach there is no number: with MOST, it costs the most.
        val numbers = three { shifts.indexOf(y to x + it) and MOST.toInt() }
        window.fill(0)
        sums.fill(0)
        for (row in 0 until rows + HALF) { // comes into the window around the row HALF above it
            val oldest = row % WINDOW * columns
            if (row < rows) enter(now, row * columns, y * stride + x, oldest) else leave(oldest)
            if (row >= HALF) keep((row - HALF) * columns, y, x, numbers)
        }
    }

    private fun enter(now: ByteArray, row: Int, shift: Int, oldest: Int) {
        for (i in 0 until columns) {
            val level = now[row + i].toLong() and 0xff
            val value = apart(level * ONES, padded[around[row + i] + shift])
            sums[i + HALF] += value - window[oldest + i]
            window[oldest + i] = value
        }
    }

    private fun leave(oldest: Int) {
        for (i in 0 until columns) sums[i + HALF] -= window[oldest + i]
    }

    private fun keep(row: Int, y: Int, x: Int, numbers: Long) {
        var sum = 0L
        for (i in 0 until WINDOW - 1) sum += sums[i]
        for (i in 0 until columns) {
            sum += sums[i + WINDOW - 1]
            val moves = costs[right[row + i] + x + MARGIN] + STILL * abs(down[row + i] + y) * ONES
            least[row + i] = lesser(least[row + i], (sum + moves shl NUMBER_BITS) or numbers)
            sum -= sums[i]
        }
    }

    private companion object {
        const val MARGIN = {{ 2 * motion.COARSE_REACH + motion.FINE_REACH }}
        const val WINDOW = {{ motion.WINDOW }}
        const val HALF = WINDOW / 2
        const val STILL = {{ motion.STILL }} // what a pixel of motion costs
        const val NUMBER_BITS = 7
    }
}
