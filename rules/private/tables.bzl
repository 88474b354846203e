"""What the rules share with the programs. "go test ./internal/tables -update" writes this file."""

# The architectures that kernels are built for and booted on.
ARCHS = {
    "x86_64": struct(
        console = "ttyS0",
        cpu = "@platforms//cpu:x86_64",
        cross_compile = "x86_64-linux-gnu-",
        debian = "amd64",
        efi = "x64",
        image = "bzImage",
        jvm = "amd64",
        qemu = "qemu-system-x86_64",
    ),
    "arm64": struct(
        console = "ttyAMA0",
        cpu = "@platforms//cpu:aarch64",
        cross_compile = "aarch64-linux-gnu-",
        debian = "arm64",
        efi = "aa64",
        image = "Image",
        jvm = "aarch64",
        qemu = "qemu-system-aarch64",
    ),
    "riscv64": struct(
        console = "ttyS0",
        cpu = "@platforms//cpu:riscv64",
        cross_compile = "riscv64-linux-gnu-",
        debian = "riscv64",
        efi = "riscv64",
        image = "Image",
        jvm = "riscv64",
        qemu = "qemu-system-riscv64",
    ),
}

# The codecs of images: what file names end in, and the highest level, which is 0 if a codec has none.
CODECS = {
    "gzip": struct(
        extension = ".gz",
        levels = 9,
    ),
    "zstd": struct(
        extension = ".zst",
        levels = 22,
    ),
    "xz": struct(
        extension = ".xz",
        levels = 0,
    ),
    "lzma": struct(
        extension = ".lzma",
        levels = 0,
    ),
    "lz4": struct(
        extension = ".lz4",
        levels = 9,
    ),
    "lzo": struct(
        extension = ".lzo",
        levels = 0,
    ),
    "bzip2": struct(
        extension = ".bz2",
        levels = 9,
    ),
    "none": struct(
        extension = "",
        levels = 0,
    ),
}

# The ways in which a boot fails, and what they mean.
FAILURES = {
    "qemu-not-started": "the machine cannot boot the kernel, or QEMU could not be run or ended with an error before the console showed anything",
    "firmware-refused": "the firmware did not start the payload: it is not signed by a key that the firmware trusts, was altered, or is not there",
    "not-refused": "the kernel started, and `expect_refusal` says that the firmware must refuse the payload",
    "kernel-not-started": "the machine ran, but the kernel showed nothing until the time limit or the end of QEMU",
    "unpacking-failed": "the kernel could not unpack an initramfs, or not all of it",
    "init-failed": "the first process could not be started, or it ended",
    "panic": "the kernel panicked for a reason that has no class of its own",
    "oops": "the kernel accessed memory or executed an instruction that it must not",
    "bug": "the kernel found an error of its own: BUG()",
    "lockup": "a CPU did only one thing for too long",
    "rcu-stall": "RCU, with which the kernel frees shared data, was held up for too long",
    "warning": "the kernel found a state that should not occur: WARN()",
    "lockdep": "the kernel's check of locks found an error (CONFIG_PROVE_LOCKING)",
    "ubsan": "the kernel did arithmetic or used an array in an undefined way (CONFIG_UBSAN)",
    "hung-task": "a task of the kernel or a program waited for too long (CONFIG_DETECT_HUNG_TASK)",
    "forbidden": "a line matched a pattern of `forbid`",
    "exit-code": "the guest reported an exit code other than zero",
    "missing-at-limit": "something expected was missing at the time limit",
    "missing-at-end": "something expected was missing when the guest had ended by itself",
    "not-ended": "the guest had not ended at the time limit; nothing else was missing",
    "qemu-died": "QEMU was killed, or ended with an error, while the guest ran",
    "stopped": "Bazel or a user stopped the boot",
}

# Those that the kernel reports in its messages, and that a boot may allow.
KERNEL_FAILURES = [
    "bug",
    "init-failed",
    "lockup",
    "oops",
    "panic",
    "rcu-stall",
    "unpacking-failed",
]

# Those that the kernel reports too, and that a boot may ask to fail for.
OPTIONAL_FAILURES = [
    "hung-task",
    "lockdep",
    "ubsan",
    "warning",
]

# What guest_init does in the end.
INIT_ACTIONS = [
    "halt",
    "poweroff",
    "reboot",
    "shell",
]

# The rules of packer lint, and what becomes of them by default.
LINT_RULES = {
    "unpack": "error",
    "no-trailer": "warning",
    "codec": "error",
    "xz-filter": "warning",
    "missing-parent": "error",
    "dropped": "error",
    "duplicate": "error",
    "hard-link": "error",
    "device-number": "error",
    "link-target": "error",
    "early-file": "warning",
    "no-init": "error",
    "interpreter": "error",
    "elf-interpreter": "error",
    "library": "error",
    "plugin": "warning",
    "dlopen": "warning",
    "bad-elf": "warning",
    "architecture": "error",
    "mixed-class": "warning",
    "dangling-symlink": "warning",
    "whiteout": "warning",
    "owner": "warning",
    "no-console": "warning",
    "setuid": "warning",
    "world-writable": "warning",
    "odd-name": "warning",
}

# What packer pack and join can write with an image (--write-NAME): what it has, and the command that prints the same.
IMAGE_VIEWS = {
    "json": struct(
        command = [
            "ls",
            "--json",
        ],
        doc = "the output of packer ls --json for the image: one JSON object per entry, with the SHA-256 of a file, the target that placed it and the one that made it",
    ),
    "libraries": struct(
        command = None,
        doc = "what programs need of the sources of libraries: one line per file, with what needs it",
    ),
    "listing": struct(
        command = [
            "ls",
        ],
        doc = "the output of packer ls for the image: one line per entry",
    ),
}

# What replaces a character in a field of a list: the backslash comes first, because the others add some.
LIST_ESCAPES = [
    ("\\", "\\134"),
    ("\t", "\\011"),
    ("\n", "\\012"),
    ("\v", "\\013"),
    ("\f", "\\014"),
    ("\r", "\\015"),
    (" ", "\\040"),
]
