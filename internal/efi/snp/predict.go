package snp

import "fmt"

// Guest is what QEMU is given for a guest, besides the firmware.
type Guest struct {
	// VCPUs is how many there are when the guest starts, from 1 to MaxVCPUs.
	VCPUs     int
	Signature uint32 // of the type of vCPU
	Features  uint64
	// Kernel is nil if firmware is not given the hashes of a kernel (kernel-hashes=off).
	Kernel *KernelHashes
}

// MaxVCPUs is the most that a machine of QEMU has (q35).
const MaxVCPUs = 4096

// Prediction is a predicted launch digest.
type Prediction struct {
	Digest Digest
	// Updates are what extends the digest, in order.
	Updates []Update
}

// Update is a run of pages that extends the digest.
type Update struct {
	From    string
	kind    pageType
	Address uint64
	Pages   int
	Digest  Digest // after the pages
}

func (p *Prediction) add(from string, kind pageType, address uint64, pages int, content []byte) {
	for i := range pages {
		var page []byte
		if content != nil {
			page = content[i*pageSize:][:pageSize]
		}
		p.Digest = p.Digest.update(kind, address+uint64(i)*pageSize, page)
	}
	p.Updates = append(p.Updates, Update{from, kind, address, pages, p.Digest})
}

// Predict predicts the launch digest of a guest that QEMU starts with a firmware.
func Predict(f *Firmware, g Guest) (*Prediction, error) {
	if g.VCPUs < 1 || g.VCPUs > MaxVCPUs {
		return nil, fmt.Errorf("%d vCPUs: want 1 to %d", g.VCPUs, MaxVCPUs)
	}
	var hashes []byte
	if g.Kernel != nil {
		var err error
		if hashes, err = f.hashesPage(g.Kernel); err != nil {
			return nil, err
		}
	}
	p := &Prediction{}
	p.add("firmware", pageNormal, f.address(), len(f.data)/pageSize, f.data)
	for _, s := range f.sections {
		kind, content := pageZero, []byte(nil)
		switch {
		case s.kind == sectionSecrets:
			kind = pageSecrets
		case s.kind == sectionCPUID:
			kind = pageCPUID
		case s.kind == sectionKernelHashes && hashes != nil:
			kind, content = pageNormal, hashes
		}
		p.add("section for "+sectionNames[s.kind], kind, uint64(s.address), int(s.size/pageSize), content)
	}
	p.add("vCPU 0", pageVMSA, vmsaAddress, 1, vmsa(firstReset, g.Signature, g.Features))
	other := vmsa(f.resetAddress, g.Signature, g.Features)
	for i := 1; i < g.VCPUs; i++ {
		p.add(fmt.Sprintf("vCPU %d", i), pageVMSA, vmsaAddress, 1, other)
	}
	return p, nil
}
