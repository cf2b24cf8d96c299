// Segments the frames of one video with the graphs of this bundle, under its policy, on the CPU.
// Written by jejunet_nas {{ version }} for trial {{ source.trial }} of study {{ study }}.
//
// {{ policy_words }}
//
// Runtime: LiteRT's Interpreter, com.google.ai.edge.litert:litert:{{ litert }}, whose runSignature takes
// inputs and outputs by name. See README.md beside this file for where the files go.

package jejunet

import android.content.res.AssetManager
import android.graphics.Bitmap
import java.io.Closeable
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
{% if policy.asynchronous %}
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import java.util.concurrent.Future
{% endif %}
import kotlin.math.abs
import org.tensorflow.lite.Interpreter

/** Names of the classes, by index. */
val CLASS_NAMES = listOf({{ class_names }})

/** Colours of the classes, 0xRRGGBB, by index. Black marks what is not drawn. */
val CLASS_COLOURS = intArrayOf({{ class_colours }})

{% if policy.between_keyframes == "move" %}
/** What a frame got: the whole network, or the keyframe's mask, moved with the picture. */
enum class FramePath { KEY, MOVE }
{% elif policy.between_keyframes == "warp" %}
/** What a frame got: the whole network, or its own detail with the keyframe's context, warped. */
enum class FramePath { KEY, WARP }
{% else %}
/** What a frame got: the whole network, its own detail with the keyframe's context, or an old mask. */
enum class FramePath { KEY, PROPAGATE, REUSE }
{% endif %}

/** Class indices of [width] x [height] pixels, rows from top to bottom. */
class Mask(val classes: ByteArray, val path: FramePath) {
    val width = {{ mask_width }}
    val height = {{ mask_height }}

    /** Returns the mask enlarged to a frame of [toWidth] x [toHeight] pixels, by nearest neighbour. */
    fun enlarged(toWidth: Int, toHeight: Int): ByteArray {
        val columns = nearest(width, toWidth)
        val rows = nearest(height, toHeight)
        return ByteArray(toWidth * toHeight) { i -> classes[rows[i / toWidth] * width + columns[i % toWidth]] }
    }
}

/**
 * Call [segment] with each frame of a video in the order of time, [reset] before another video.
 *
 * It is not thread-safe. load: returns a graph by its file's name, as a direct or mapped buffer.
 * threads: of each graph.
{% if policy.asynchronous %}
 * lag: when a keyframe that runs in the background is used. null, for a camera: as soon as it is
 * ready. A number: exactly so many frames after it began, waiting if need be; the scores in README.md
 * were computed with {{ lag }}.
{% endif %}
 */
class Segmenter(
    load: (String) -> ByteBuffer,
    threads: Int = {{ threads }},
{% if policy.asynchronous %}
    private val lag: Int? = null,
{% endif %}
) : Closeable {
    constructor(assets: AssetManager, threads: Int = {{ threads }}) : this({ name -> mapped(assets, name) }, threads)

    private class Keyframe(
        val mask: ByteArray,
{% if policy.propagates %}
        val context: {{ "ByteArray" if policy.follows_motion else "ByteBuffer" }},
{% endif %}
{% if policy.gated %}
        val thumbnail: ByteArray,
{% endif %}
    )

    private val keyGraph = Graph(load("{{ graphs.key.file }}"), threads)
{% if policy.propagates %}
    private val propagateGraph = Graph(load("{{ graphs.propagate.file }}"), threads)
{% endif %}
{% if policy.gated %}
    private val gateGraph = Graph(load("{{ graphs.gate.file }}"), threads)
{% endif %}
    private var keyframe: Keyframe? = null // the one that frames use
    private var since = KEYFRAME_INTERVAL // frames since a keyframe began
{% if policy.follows_motion %}
    private val motion = Motion()
    private var before = ByteArray(0) // the grey picture of the frame before
    private var index = UNMOVED // where in the keyframe each pixel of the grey picture was
{% if policy.ahead %}
    private var last = UNMOVED // the motion that was found last
{% endif %}
{% endif %}
{% if policy.asynchronous %}
{% if policy.follows_motion %}
    private class Coming(val number: Int, val result: Future<Keyframe>) {
        var index = UNMOVED // as that of the keyframe that frames use
    }
{% else %}
    private class Coming(val number: Int, val result: Future<Keyframe>)
{% endif %}

    private val background = Executors.newSingleThreadExecutor() // it alone runs the key graph
    private var coming: Coming? = null // the keyframe that runs in the background
    private var number = 0 // of the frame
{% endif %}

    /** Returns the mask of an upright frame. */
    fun segment(frame: Bitmap): Mask {
        val pixels = IntArray(frame.width * frame.height)
        frame.getPixels(pixels, 0, frame.width, 0, 0, frame.width, frame.height)
        val rgb = ByteArray(3 * pixels.size)
        for (i in pixels.indices) {
            rgb[3 * i] = (pixels[i] shr 16).toByte()
            rgb[3 * i + 1] = (pixels[i] shr 8).toByte()
            rgb[3 * i + 2] = pixels[i].toByte()
        }
        return segment(rgb, frame.width, frame.height)
    }

    /** Returns the mask of an upright frame: [rgb] has 3 bytes a pixel, rows from top to bottom. */
    fun segment(rgb: ByteArray, width: Int, height: Int): Mask {
        require(rgb.size == 3 * width * height) { "${rgb.size} bytes are not $width x $height x 3" }
        val image = resized(rgb, width, height)
{% if policy.asynchronous %}
        takeUp()
{% endif %}
{% if policy.gated %}
        val score = if (asksGate()) gateScore(image) else null
        val path = choose(image, score)
{% else %}
        val path = choose(image)
{% endif %}
{% if policy.follows_motion %}
        follow(image, path)
{% endif %}
{% if policy.asynchronous %}
        number++
{% endif %}
        val used = checkNotNull(keyframe) { "the first frame is a keyframe" }
{% if policy.propagates and policy.follows_motion %}
        if (path == FramePath.KEY) return Mask(used.mask, path)
        return Mask(propagate(image, warped(used.context, index)), path)
{% elif policy.propagates %}
        return Mask(if (path == FramePath.PROPAGATE) propagate(image, used) else used.mask, path)
{% elif policy.moves %}
        return Mask(if (path == FramePath.MOVE) moved(used.mask, index) else used.mask, path)
{% else %}
        return Mask(used.mask, path)
{% endif %}
    }

{% if policy.ahead %}
    /**
     * Returns the newest frame's [mask] as the next frame is expected to look. Show it where the screen
     * shows the camera's newest frame: masks come a frame late.
     */
    fun ahead(mask: Mask) = Mask(moved(mask.classes, last), mask.path)

{% endif %}
    /** Starts again, as at a cut: the next frame is a keyframe. */
    fun reset() {
        keyframe = null
        since = KEYFRAME_INTERVAL
{% if policy.ahead %}
        last = UNMOVED
{% endif %}
{% if policy.asynchronous %}
        coming?.result?.cancel(false)
        coming = null
        number = 0
{% endif %}
    }

    override fun close() {
        reset()
{% if policy.asynchronous %}
        background.submit { keyGraph.close() }.get() // after a keyframe that still runs
        background.shutdown()
{% else %}
        keyGraph.close()
{% endif %}
{% if policy.propagates %}
        propagateGraph.close()
{% endif %}
{% if policy.gated %}
        gateGraph.close()
{% endif %}
    }

    /** Returns the path of the next frame; runs or begins a keyframe where one is wanted. */
    private fun choose(image: ByteArray{% if policy.gated %}, score: Double?{% endif %}): FramePath {
{% if policy.refresh_above is not none %}
        val far = score != null && score > REFRESH_ABOVE
        val wanted = far || since >= KEYFRAME_INTERVAL
{% else %}
        val wanted = since >= KEYFRAME_INTERVAL
{% endif %}
{% if policy.asynchronous %}
        if (keyframe == null) { // the first frame alone waits
            keyframe = background.submit(Callable { key(image) }).get()
            since = 1
            return FramePath.KEY
        }
        if (wanted && coming == null) {
            val kept = image.copyOf() // the caller may use the same array for the next frame
            coming = Coming(number, background.submit(Callable { key(kept) }))
            since = 0
        }
{% else %}
        if (wanted) {
            keyframe = key(image)
            since = 1
            return FramePath.KEY
        }
{% endif %}
        since++
{% if policy.reuse_below is not none %}
        if (score != null && score < REUSE_BELOW) return FramePath.REUSE
{% endif %}
        return FramePath.{{ policy.between_keyframes | upper }}
    }

{% if policy.asynchronous %}
    /** Uses the keyframe of the background once it is time. */
    private fun takeUp() {
        val begun = coming ?: return
        if (if (lag == null) begun.result.isDone else number - begun.number >= lag) {
            coming = null
            keyframe = begun.result.get()
{% if policy.follows_motion %}
            index = begun.index
{% endif %}
        }
    }

{% endif %}
{% if policy.gated %}
    /** Whether the path of the next frame depends on the gate. */
{% if not policy.asynchronous %}
    private fun asksGate() = since < KEYFRAME_INTERVAL
{% elif policy.reuse_below is not none %}
    private fun asksGate() = keyframe != null
{% else %}
    private fun asksGate() = keyframe != null && coming == null && since < KEYFRAME_INTERVAL
{% endif %}

    /** Returns how outdated the keyframe's mask is, 0 to 1. */
    private fun gateScore(image: ByteArray): Double {
        val then = checkNotNull(keyframe) { "there is a keyframe to compare with" }.thumbnail
        val score = buffer(1)
        gateGraph.run(
            mapOf("now" to buffer(thumbnail(image)), "keyframe" to buffer(then)),
            mapOf("score" to score),
        )
        return {{ score.scale }} * (score.get(0).toInt() - ({{ score.zero_point }}))
    }

{% endif %}
{% if policy.follows_motion %}
    /** Joins the motion of the picture since the frame before to that since each keyframe. */
    private fun follow(image: ByteArray, path: FramePath) {
        val now = grey(image)
        if (path == FramePath.KEY) {
            index = UNMOVED
        } else {
            val step = motion.between(now, before)
            index = joined(index, step)
{% if policy.ahead %}
            last = step
{% endif %}
{% if policy.asynchronous %}
            coming?.let { if (it.number < number) it.index = joined(it.index, step) }
{% endif %}
        }
        before = now
    }

{% endif %}
    private fun key(image: ByteArray): Keyframe {
        val mask = buffer(MASK_BYTES)
{% if policy.propagates %}
        val context = buffer(CONTEXT_BYTES)
        keyGraph.run(mapOf("image" to buffer(image)), mapOf("class_map" to mask, "context" to context))
{% if requantised %}
        for (i in 0 until CONTEXT_BYTES) context.put(i, CONTEXT_TABLE[context.get(i).toInt() and 0xff])
{% endif %}
{% else %}
        keyGraph.run(mapOf("image" to buffer(image)), mapOf("class_map" to mask))
{% endif %}
        return Keyframe(bytes(mask){% if policy.propagates %}, {{ "bytes(context)" if policy.follows_motion else "context" }}{% endif %}{% if policy.gated %}, thumbnail(image){% endif %})
    }

{% if policy.propagates %}
    private fun propagate(image: ByteArray, {{ "context: ByteArray" if policy.follows_motion else "keyframe: Keyframe" }}): ByteArray {
        val mask = buffer(MASK_BYTES)
        propagateGraph.run(
            mapOf("image" to buffer(image), "context" to {{ "buffer(context)" if policy.follows_motion else "keyframe.context" }}),
            mapOf("class_map" to mask),
        )
        return bytes(mask)
    }

{% endif %}
    private companion object {
        const val KEYFRAME_INTERVAL = {{ policy.keyframe_interval }}
{% if policy.reuse_below is not none %}
        const val REUSE_BELOW = {{ policy.reuse_below }}
{% endif %}
{% if policy.refresh_above is not none %}
        const val REFRESH_ABOVE = {{ policy.refresh_above }}
{% endif %}
{% if policy.follows_motion %}
        val UNMOVED = IntArray(ROWS * COLUMNS) { it }
{% endif %}
        const val MASK_BYTES = {{ mask_width }} * {{ mask_height }}
{% if policy.propagates %}
        const val CONTEXT_BYTES = {{ context_bytes }}
{% endif %}
{% if requantised %}

        /** From the key graph's context to the propagate graph's, whose scales differ; by byte. */
        val CONTEXT_TABLE = ByteArray(256) { byte ->
            val real = {{ requantised[0].scale }} * (byte.toByte().toInt() - ({{ requantised[0].zero_point }}))
            val stored = Math.rint(real / {{ requantised[1].scale }}) + ({{ requantised[1].zero_point }})
            stored.coerceIn(-128.0, 127.0).toInt().toByte()
        }
{% endif %}
    }
}

/** One graph, with its inputs and outputs by name. */
private class Graph(model: ByteBuffer, threads: Int) : Closeable {
    private val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))

    fun run(inputs: Map<String, ByteBuffer>, outputs: Map<String, ByteBuffer>) {
        for (each in inputs.values + outputs.values) each.rewind()
        interpreter.runSignature(inputs, outputs)
    }

    override fun close() = interpreter.close()
}

private const val WIDTH = {{ input.width }} // of the graphs' image
private const val HEIGHT = {{ input.height }}

private fun mapped(assets: AssetManager, name: String): ByteBuffer = assets.openFd(name).use { file ->
    FileInputStream(file.fileDescriptor).use {
        it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
    }
}

private fun buffer(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

private fun buffer(content: ByteArray): ByteBuffer = buffer(content.size).put(content)

private fun bytes(buffer: ByteBuffer) = ByteArray(buffer.capacity()).also {
    buffer.rewind()
    buffer.get(it)
}

{% if policy.gated %}
/** Returns an image with each square of {{ input.thumbnail_stride }} x {{ input.thumbnail_stride }} pixels averaged and rounded down. */
private fun thumbnail(image: ByteArray): ByteArray {
    val step = {{ input.thumbnail_stride }}
    val sums = IntArray(image.size / (step * step))
    for (y in 0 until HEIGHT) for (x in 0 until WIDTH) for (c in 0 until 3) {
        sums[3 * ((y / step) * (WIDTH / step) + x / step) + c] += image[3 * (y * WIDTH + x) + c].toInt() and 0xff
    }
    return ByteArray(sums.size) { (sums[it] / (step * step)).toByte() }
}

{% endif %}
{% if policy.follows_motion %}
{% include "Motion.kt" %}

{% endif %}
/**
 * Returns a picture at the graphs' size, without keeping its aspect ratio: bilinear with a filter as
 * wide as the reduction, as Pillow's BILINEAR, with which the network was scored. It is the same bit for
 * bit, except where Pillow 13 filters the rows first, in frames that are hardly wider than the graphs'
 * image, but higher: single values then differ by 1.
 */
private fun resized(rgb: ByteArray, width: Int, height: Int): ByteArray {
    val wide = if (width == WIDTH) rgb else filtered(rgb, height, width, WIDTH, 1)
    return if (height == HEIGHT) wide else filtered(wide, 1, height, HEIGHT, WIDTH)
}

/** Filters pixels along one axis: [from] of them become [to]; they are [stride] pixels apart. */
private fun filtered(rgb: ByteArray, lines: Int, from: Int, to: Int, stride: Int): ByteArray {
    val scale = from.toDouble() / to
    val support = maxOf(scale, 1.0)
    val inverse = 1.0 / support
    val result = ByteArray(lines * to * stride * 3)
    for (out in 0 until to) {
        val centre = (out + 0.5) * scale
        val first = maxOf((centre - support + 0.5).toInt(), 0)
        val last = minOf((centre + support + 0.5).toInt(), from)
        val raw = DoubleArray(last - first) { maxOf(1.0 - abs((it + first - centre + 0.5) * inverse), 0.0) }
        val sum = raw.sum()
        val weights = IntArray(raw.size) { (0.5 + raw[it] / sum * (1 shl 22)).toInt() }
        for (line in 0 until lines) for (i in 0 until 3 * stride) {
            var value = 1 shl 21
            for (k in weights.indices) {
                value += weights[k] * (rgb[(line * from + first + k) * stride * 3 + i].toInt() and 0xff)
            }
            result[(line * to + out) * stride * 3 + i] = (value shr 22).coerceIn(0, 255).toByte()
        }
    }
    return result
}

/** Returns for each of [to] pixels in a row the nearest of [from], as Pillow's NEAREST. */
private fun nearest(from: Int, to: Int): IntArray {
    val step = from.toDouble() / to
    var place = 0.5 * step
    return IntArray(to) { place.toInt().also { place += step } }
}
