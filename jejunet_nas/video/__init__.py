"""Running graphs over clips: the policy that picks each frame's path, and the walk that takes it."""
