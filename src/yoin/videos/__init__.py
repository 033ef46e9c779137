"""Videos as the rest of Yoin sees them: a few frames, one of which stands for the whole.

``containers`` tells a video by its bytes, ``decode`` reads it with FFmpeg, ``scenes`` chooses among its frames, and
``sampling`` joins them. Importing this package does not load FFmpeg.
"""

from yoin.videos.containers import is_animated_gif, video_mime
from yoin.videos.sampling import Sample, sample
from yoin.videos.scenes import is_other_scene

__all__ = ["Sample", "is_animated_gif", "is_other_scene", "sample", "video_mime"]
