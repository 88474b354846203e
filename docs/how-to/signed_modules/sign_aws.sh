#!/bin/sh -e
# sign_aws.sh KEY --hash HASH --certificate FILE
signature=$(aws kms sign --key-id "$1" --message-type DIGEST --message fileb:///dev/stdin \
  --signing-algorithm "RSASSA_PKCS1_V1_5_SHA_${3#sha}" --query Signature --output text)
printf '%s' "$signature" | base64 -d
