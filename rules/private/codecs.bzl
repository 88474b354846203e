"""The codecs of an image, and what attributes say of them."""

load(":tables.bzl", _CODECS = "CODECS")

CODECS = _CODECS

# The names, for docs.
CODEC_NAMES = ", ".join(["`%s`" % name for name in CODECS])

# The levels of the codecs that have some, for docs.
CODEC_LEVELS = "; ".join([
    "%s has %d to %d, by default %d" % (name, row.lowest, row.highest, row.default)
    for name, row in CODECS.items()
    if row.highest
])

# What names of files end in, for docs.
CODEC_EXTENSIONS = ", ".join([row.extension for row in CODECS.values() if row.extension])

# Those that compress.
COMPRESSING_CODECS = [name for name in CODECS if name != "none"]
