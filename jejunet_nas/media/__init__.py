"""Reads and writes videos: the only part that opens video files, folders of frames and cameras."""
