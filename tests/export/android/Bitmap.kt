// Stands for Android's Bitmap: opaque pixels, 0xAARRGGBB.

package android.graphics

class Bitmap(val width: Int, val height: Int, private val pixels: IntArray) {
    fun getPixels(into: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        require(offset == 0 && stride == this.width && x == 0 && y == 0)
        require(width == this.width && height == this.height)
        pixels.copyInto(into)
    }
}
