"""Running graphs over clips: the policy that picks each frame's path, the walk that takes it."""
