package elf

import "debug/elf"

// Requirement is what an object needs of a shared object that it is linked with.
type Requirement struct {
	// Name is that of the shared object: one of Needed.
	Name string
	// Versions are the versions of symbols that it must define, such as GLIBC_2.34.
	Versions []string
}

// maxVersions is the number of versions that an object may define and require in all. The GNU C
// library defines about 50.
const maxVersions = 4096

// weakVersion marks a version whose absence a loader accepts (VER_FLG_WEAK in elf/dl-version.c of
// the GNU C library).
const weakVersion = 2

// readVersions reads the versions of symbols: two lists of records, each with a list of its own
// (Elfxx_Verneed and Elfxx_Verdef, the same for all classes).
func (f *elfFile) readVersions(o *Object, values map[elf.DynTag]uint64, names func(...uint64) ([]string, error)) error {
	all := 0
	each := func(start fileRange, at, count uint64, size, next int, record func(at uint64, b []byte) error) error {
		for ; count > 0; count-- {
			if all++; all > maxVersions {
				return formatError("it has more than %d versions of symbols", maxVersions)
			}
			if at > start.size {
				return formatError("its versions of symbols are not where the program headers map it")
			}
			b, err := f.read(start.offset+at, uint64(size), "the versions of symbols")
			if err != nil {
				return err
			}
			if err := record(at, b); err != nil {
				return err
			}
			step := uint64(f.order.Uint32(b[next:]))
			if step == 0 {
				break
			}
			at += step
		}
		return nil
	}
	if start, ok := f.mapped(values[elf.DT_VERNEED]); ok && values[elf.DT_VERNEEDNUM] > 0 {
		err := each(start, 0, values[elf.DT_VERNEEDNUM], 16, 12, func(at uint64, b []byte) error {
			var versions []uint64
			aux := at + uint64(f.order.Uint32(b[8:]))
			err := each(start, aux, uint64(f.order.Uint16(b[2:])), 16, 12, func(_ uint64, b []byte) error {
				if f.order.Uint16(b[4:])&weakVersion == 0 {
					versions = append(versions, uint64(f.order.Uint32(b[8:])))
				}
				return nil
			})
			if err != nil || len(versions) == 0 {
				return err
			}
			texts, err := names(append(versions, uint64(f.order.Uint32(b[4:])))...)
			if err != nil {
				return err
			}
			last := len(texts) - 1
			o.Requires = append(o.Requires, Requirement{texts[last], texts[:last:last]})
			return nil
		})
		if err != nil {
			return err
		}
	}
	start, ok := f.mapped(values[elf.DT_VERDEF])
	if !ok || values[elf.DT_VERDEFNUM] == 0 {
		return nil
	}
	var defined []uint64
	err := each(start, 0, values[elf.DT_VERDEFNUM], 20, 16, func(at uint64, b []byte) error {
		// The first name is the version's own; the others are those that it includes.
		aux := at + uint64(f.order.Uint32(b[12:]))
		return each(start, aux, min(1, uint64(f.order.Uint16(b[6:]))), 8, 4, func(_ uint64, b []byte) error {
			defined = append(defined, uint64(f.order.Uint32(b)))
			return nil
		})
	})
	if err == nil && len(defined) > 0 {
		o.Defines, err = names(defined...)
	}
	return err
}
