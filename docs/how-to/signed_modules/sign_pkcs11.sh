#!/bin/sh
# sign_pkcs11.sh URI --hash HASH --certificate FILE
exec openssl pkeyutl -sign -provider default -provider pkcs11 -inkey "$1" -pkeyopt digest:"$3"
