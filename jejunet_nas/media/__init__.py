"""Video in, video out: the only part that opens video files, folders of frames and cameras."""
