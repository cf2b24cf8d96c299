// Stands for Android's classes, which the compiler must know; nothing calls it.

package android.content.res

import java.io.Closeable
import java.io.FileDescriptor

class AssetFileDescriptor : Closeable {
    val fileDescriptor: FileDescriptor = FileDescriptor()
    val startOffset: Long = 0
    val declaredLength: Long = 0

    override fun close() = Unit
}

class AssetManager {
    fun openFd(name: String): AssetFileDescriptor = AssetFileDescriptor()
}
