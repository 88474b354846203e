package snp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// formatVersion is that of the files that WriteReport writes. The field has a name of its own, so that
// packer measure-diff refuses them: it compares measurements of a TPM.
const formatVersion = 1

type report struct {
	Version    int      `json:"snp_version"`
	Digest     string   `json:"launch_digest"`
	Conditions []string `json:"conditions"`
	Guest      struct {
		VCPUs     int    `json:"vcpus"`
		Signature string `json:"vcpu_signature"`
		Features  string `json:"guest_features"`
	} `json:"guest"`
	Hashes  *reportHashes  `json:"kernel_hashes,omitempty"`
	Updates []reportUpdate `json:"updates"`
}

type reportHashes struct {
	Kernel      string `json:"kernel"`
	Initrd      string `json:"initrd"`
	CommandLine string `json:"cmdline"`
}

type reportUpdate struct {
	From    string `json:"from"`
	Type    string `json:"type"`
	Address string `json:"address"`
	Pages   int    `json:"pages"`
	Digest  string `json:"digest"`
}

func hexOf(digest []byte) string { return hex.EncodeToString(digest) }

// WriteReport writes a prediction for a guest as JSON. Each update has a line of its own, so that two
// reports can be compared line by line.
func WriteReport(w io.Writer, p *Prediction, g Guest) error {
	r := report{Version: formatVersion, Digest: hexOf(p.Digest[:])}
	start := "QEMU gives the firmware no hashes of a kernel (kernel-hashes=off)"
	if k := g.Kernel; k != nil {
		r.Hashes = &reportHashes{hexOf(k.Kernel[:]), hexOf(k.Initrd[:]), hexOf(k.CommandLine[:])}
		start = "QEMU gives the firmware the hashes of this kernel, initrd and command line (kernel-hashes=on)"
	}
	r.Conditions = []string{
		"the prediction is experimental: compare it with an attestation report before you rely on it",
		"QEMU loads this firmware with -bios",
		start,
		"the guest starts with this number and type of vCPUs and these guest features",
	}
	r.Guest.VCPUs = g.VCPUs
	r.Guest.Signature, r.Guest.Features = fmt.Sprintf("%#x", g.Signature), fmt.Sprintf("%#x", g.Features)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	// The list is the last field.
	text = append(bytes.TrimSuffix(text, []byte("null\n}")), '[')
	for i, u := range p.Updates {
		line, err := json.Marshal(reportUpdate{u.From, u.kind.String(), fmt.Sprintf("%#x", u.Address), u.Pages, hexOf(u.Digest[:])})
		if err != nil {
			return err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, "\n    "...), line...)
	}
	_, err = w.Write(append(text, "\n  ]\n}\n"...))
	return err
}
