"""The codecs of an image: what a kernel can decompress."""

# What a file name ends in, and the highest level: 0 where there are none.
CODECS = {
    "bzip2": struct(extension = ".bz2", levels = 9),
    "gzip": struct(extension = ".gz", levels = 9),
    "lz4": struct(extension = ".lz4", levels = 9),
    "lzma": struct(extension = ".lzma", levels = 0),
    "lzo": struct(extension = ".lzo", levels = 0),
    "none": struct(extension = "", levels = 0),
    "xz": struct(extension = ".xz", levels = 0),
    "zstd": struct(extension = ".zst", levels = 22),
}
