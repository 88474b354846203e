#!/bin/sh
# Checks the origins and producers of files in the JSON of an image.
#
#   producers_test.sh JSON PACKAGE IMAGE
set -eu

json=$1 package=$2 image=$3

expect() {
  grep -q "\"name\":\"$1\".*\"origin\":\"$2\"$3}" "$json" || {
    echo "$1: no origin $2 with $3 in:"
    cat "$json"
    exit 1
  }
}

expect init "$package:$image" ',"producer":"//examples/hello:hello"'
expect tree/a "$package:$image" ",\"producer\":\"$package:tree\""
expect tree/b/c "$package:$image" ",\"producer\":\"$package:tree\""
expect generated "$package:files" ",\"producer\":\"$package:generated\""
expect another "$package:files" ",\"producer\":\"$package:generated\""
expect source "$package:files" ",\"producer\":\"$package:source.txt\""
expect archived "$package:files" ",\"producer\":\"$package:archive\""
expect link "$package:files" ''
