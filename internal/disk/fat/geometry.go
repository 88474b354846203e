package fat

import (
	"encoding/binary"
	"fmt"
	"sort"
)

const (
	firstCluster = 2
	// The number of clusters is what makes a file system FAT12, FAT16 or FAT32 (FAT specification,
	// section 3.5). It advises to keep 16 off the limits, as some systems have them wrong.
	leastFAT16 = 4085 + 16
	mostFAT16  = 65524 - 16
	leastFAT32 = 65525 + 16
	mostFAT32  = 0x0ffffff5 - 16

	fats = 2 // copies of the table
)

// geometry is where the parts of a file system are: reserved sectors, the tables, the root
// directory of FAT16, clusters.
type geometry struct {
	sectors    int64
	bits       int // of an entry of the table: 16 or 32
	perCluster int64
	reserved   int64
	fat        int64 // sectors of one table
	root       int64 // sectors of the root directory of FAT16
	clusters   int64
	used       int64 // clusters that are not free
}

// newGeometry returns the geometry of a file system whose root directory has rootSize bytes.
func newGeometry(sectors, rootSize int64) (*geometry, error) {
	if sectors > 1<<32-1 {
		return nil, fmt.Errorf("%w: it would have %d bytes, and FAT allows 2 TiB: make it smaller", ErrLarge, sectors*sectorSize)
	}
	// The sizes of clusters are those that the specification has in section 3.5.
	per := int64(64)
	for _, row := range []struct{ most, per int64 }{{532480, 1}, {16777216, 8}, {33554432, 16}, {67108864, 32}} {
		if sectors <= row.most {
			per = row.per
			break
		}
	}
	if g := fit(geometry{sectors: sectors, bits: 32, perCluster: per, reserved: 32}); g.clusters >= leastFAT32 {
		return g, nil
	}
	records := max(512, (rootSize+sectorSize-1)/sectorSize*(sectorSize/recordSize))
	if records > maxRoot {
		return nil, fmt.Errorf("%w in the root directory: it would have %d records, and FAT16 allows %d: use directories", ErrMany, records, maxRoot)
	}
	for per := int64(1); ; per *= 2 {
		g := fit(geometry{sectors: sectors, bits: 16, perCluster: per, reserved: 1, root: records * recordSize / sectorSize})
		switch {
		case g.clusters < leastFAT16:
			return nil, fmt.Errorf("%w: it has %d bytes, and FAT16 needs 3 MiB", ErrRoom, sectors*sectorSize)
		case g.clusters <= mostFAT16:
			return g, nil
		}
	}
}

// fit sets the size of the tables and the number of clusters.
func fit(g geometry) *geometry {
	left := g.sectors - g.reserved - g.root
	clusters := func(fat int64) int64 { return min(max(left-fats*fat, 0)/g.perCluster, mostFAT32) }
	perSector := int64(sectorSize * 8 / g.bits)
	g.fat = int64(sort.Search(int(max(left, 1)), func(fat int) bool {
		return int64(fat)*perSector >= clusters(int64(fat))+firstCluster
	}))
	g.clusters = clusters(g.fat)
	return &g
}

func (g *geometry) clusterSize() int64 { return g.perCluster * sectorSize }

// clustersOf returns how many clusters a number of bytes takes.
func (g *geometry) clustersOf(size int64) int64 {
	return (size + g.clusterSize() - 1) / g.clusterSize()
}

const (
	media     = 0xf8 // a disk that is not removed
	driveBIOS = 0x80 // the first disk
	infoAt    = 1    // the sector of FAT32's number of free clusters
	backupAt  = 6    // the sector of the copy of the first sectors
	bootMagic = 0xaa55
)

// boot returns the first sector.
func (g *geometry) boot(t *Tree) []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	copy(b[3:], "MSWIN4.1")
	le.PutUint16(b[11:], sectorSize)
	b[13] = byte(g.perCluster)
	le.PutUint16(b[14:], uint16(g.reserved))
	b[16] = fats
	le.PutUint16(b[17:], uint16(g.root*(sectorSize/recordSize)))
	b[21] = media
	le.PutUint16(b[24:], 32) // sectors of a track, which mtools checks
	le.PutUint16(b[26:], 64) // heads
	le.PutUint32(b[28:], t.options.Start)
	if g.bits == 16 && g.sectors < 1<<16 {
		le.PutUint16(b[19:], uint16(g.sectors))
	} else {
		le.PutUint32(b[32:], uint32(g.sectors))
	}
	names := b[36:]
	if g.bits == 32 {
		copy(b, []byte{0xeb, 0x58, 0x90}) // a jump over the fields
		le.PutUint32(b[36:], uint32(g.fat))
		le.PutUint32(b[44:], firstCluster) // of the root directory
		le.PutUint16(b[48:], infoAt)
		le.PutUint16(b[50:], backupAt)
		names = b[64:]
	} else {
		copy(b, []byte{0xeb, 0x3c, 0x90})
		le.PutUint16(b[22:], uint16(g.fat))
	}
	names[0] = driveBIOS
	names[2] = 0x29 // the three fields that follow are there
	le.PutUint32(names[3:], t.options.ID)
	copy(names[7:], t.label[:])
	copy(names[18:], fmt.Sprintf("FAT%d   ", g.bits))
	le.PutUint16(b[sectorSize-2:], bootMagic)
	return b
}

// info returns the sector with the number of free clusters.
func (g *geometry) info() []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	copy(b, "RRaA")
	copy(b[484:], "rrAa")
	le.PutUint32(b[488:], uint32(g.clusters-g.used))
	next := uint32(0xffffffff) // unknown: there is none
	if g.used < g.clusters {
		next = uint32(g.used + firstCluster)
	}
	le.PutUint32(b[492:], next)
	le.PutUint16(b[sectorSize-2:], bootMagic)
	return b
}
