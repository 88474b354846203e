#!/bin/bash -eu
packer=$0.runfiles/_main/prebuilt/packer
packer_aarch64=${packer}_aarch64
exec "$packer" "$@"
