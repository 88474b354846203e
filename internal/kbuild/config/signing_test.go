package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestCheckSigning(t *testing.T) {
	messages := map[string]string{}
	for name, test := range map[string]struct {
		values Values
		want   string // what the error begins with
	}{
		"not signed":           {Values{}, ""},
		"certificate":          {Values{ModuleSigKey: `"certs/module_certificate.pem"`}, ""},
		"no key":               {Values{ModuleSigKey: `""`}, ""},
		"key in a patch":       {Values{ModuleSigKey: `"certs/own.pem"`, moduleSigAll: "y"}, ""},
		"new key":              {Values{ModuleSigKey: `"certs/signing_key.pem"`}, ModuleSigKey + "="},
		"token":                {Values{ModuleSigKey: `"pkcs11:token=a"`}, ModuleSigKey + ": "},
		"nothing to sign with": {Values{ModuleSigKey: `""`, moduleSigAll: "y"}, moduleSigAll + " "},
	} {
		err := CheckSigning(test.values)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil {
			messages[name] = err.Error()
		}
	}
	golden.Messages(t, "TestCheckSigning.txt", messages)
}

func TestCertificates(t *testing.T) {
	both := Certificates{Module: "certs/m.pem", Trusted: "certs/t.pem"}
	fragment, err := Parse("f", "CONFIG_MODULE_SIG_KEY=\"mine.pem\"\nCONFIG_MODULE_SIG_ALL=y\nCONFIG_SYSTEM_TRUSTED_KEYS=\"certs/t.pem\"\n")
	if err != nil {
		t.Fatal(err)
	}
	values := Values{}
	for _, a := range both.Assignments() {
		values[a.Symbol] = a.Value
	}
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		err  error
		want []string // in the lines of the error
	}{
		{"none", Certificates{}.Check(Values{}), nil},
		{"none, in a fragment", Certificates{}.CheckFragments(fragment), nil},
		{"both", both.Check(values), nil},
		{"not taken", both.Check(Values{}), []string{moduleSig + "=y", "CONFIG_SYSTEM_TRUSTED_KEYRING"}},
		{"in a fragment", both.CheckFragments(fragment), []string{"f:1: " + ModuleSigKey, "f:2: " + moduleSigAll}},
		{"RSA", CheckAlgorithm(Values{"CONFIG_CRYPTO_RSA": "y"}, "RSA"), nil},
		{"no ECDSA", CheckAlgorithm(Values{"CONFIG_CRYPTO_ECDSA": "m"}, "ECDSA"), []string{"CONFIG_CRYPTO_ECDSA=y"}},
	} {
		var lines []string
		if test.err != nil {
			messages[test.name] = test.err.Error()
			lines = strings.Split(test.err.Error(), "\n")
		}
		if !slices.EqualFunc(lines, test.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", test.name, lines, test.want)
		}
	}
	golden.Messages(t, "TestCertificates.txt", messages)
}

func TestSignatureHash(t *testing.T) {
	if hash, err := (Values{moduleSigHash: `"sha3-256"`}).SignatureHash(); hash != "sha3-256" || err != nil {
		t.Errorf("%q, %v", hash, err)
	}
	for _, values := range []Values{{}, {moduleSigHash: `""`}} {
		if hash, err := values.SignatureHash(); hash != "" || err == nil || !strings.Contains(err.Error(), moduleSig+"=y") {
			t.Errorf("%v: %q, %v", values, hash, err)
		}
	}
}
