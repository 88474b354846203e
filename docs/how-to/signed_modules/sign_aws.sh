#!/bin/sh -e
# sign_aws.sh KEY --hash sha512 --certificate FILE
aws kms sign --key-id "$1" --message-type DIGEST --message fileb:///dev/stdin \
  --signing-algorithm RSASSA_PKCS1_V1_5_SHA_512 --query Signature --output text | base64 -d
