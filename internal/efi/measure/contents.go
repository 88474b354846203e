package measure

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// File is a file of an initramfs, as the kernel unpacks it. Texts from the archive are safe to show.
type File struct {
	Path   string `json:"path"`
	Type   string `json:"type"`
	Mode   string `json:"mode,omitempty"`
	Owner  string `json:"owner,omitempty"` // the user and the group, such as 0:0
	MTime  uint32 `json:"mtime,omitempty"`
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Target string `json:"target,omitempty"`
	Device string `json:"device,omitempty"` // the numbers of a device node
	// Label is the target that made the content, or that placed the file, if a list said so.
	Label string `json:"label,omitempty"`
}

// Labels are the targets that the files of an image are from.
type Labels struct {
	files map[string]labeled
}

// labeled is a file in what packer ls --json and its kin print.
type labeled struct {
	path   string
	label  string
	digest string
}

// listed is the part of a line of packer ls --json that is used.
type listed struct {
	Name      string `json:"name"`
	NameBytes []byte `json:"name_bytes"`
	SHA256    string `json:"sha256"`
	Origin    string `json:"origin"`
	Producer  string `json:"producer"`
}

// maxLine is more than a line of packer ls --json has: names and targets have limits.
const maxLine = 1 << 20

// ReadLabels adds the files of what packer ls --json prints, or packer pack --write-json writes.
func (l *Labels) ReadLabels(r io.Reader) error {
	if l.files == nil {
		l.files = map[string]labeled{}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var e listed
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Name == "" {
			return fmt.Errorf("line %d is not an entry: want what packer pack --write-json writes", n)
		}
		if e.NameBytes != nil {
			e.Name = string(e.NameBytes)
		}
		label := e.Producer
		if label == "" {
			label = e.Origin
		}
		path := kernel.CleanPath(e.Name)
		l.files[path] = labeled{path, label, e.SHA256}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errors.New("it has a line that is too long: want what packer pack --write-json writes")
	}
	return lines.Err()
}

// readFiles returns the files of the archives in a section, sorted by path.
func readFiles(s *pe.Section, labels *Labels) ([]File, error) {
	data := s.Data()
	_, bootconfig, err := image.FindBootconfig(data, data.Size())
	if err != nil && !errors.Is(err, image.ErrBootconfig) {
		return nil, err
	}
	model, err := kernel.ReadModel(image.NewReader(io.NewSectionReader(data, 0, data.Size()-bootconfig)), true, nil)
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", s.Name, err)
	}
	var files []File
	for path, f := range model.Files {
		if path == "/" {
			continue
		}
		e := newFile(path, f)
		if from, ok := labels.files[path]; ok {
			if from.digest != "" && e.SHA256 != "" && from.digest != e.SHA256 {
				return nil, fmt.Errorf("section %s: %s has the SHA-256 %s, and --contents has %s: name the list of this image", s.Name, path, e.SHA256, from.digest)
			}
			e.Label = from.label
		}
		files = append(files, e)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func newFile(path string, f *kernel.File) File {
	e := File{
		Path: printable.Text(path), Type: kind.TypeOf(f.Mode).Word(), Mode: fmt.Sprintf("%04o", f.Mode&^cpio.TypeMask),
		Owner: fmt.Sprintf("%d:%d", f.UID, f.GID), MTime: f.MTime,
	}
	switch f.Type() {
	case cpio.TypeRegular:
		e.Size, e.SHA256 = f.Size, hex.EncodeToString(f.Digest[:])
	case cpio.TypeSymlink:
		e.Target = printable.Text(f.Target)
	case cpio.TypeBlock, cpio.TypeChar:
		e.Device = fmt.Sprintf("%d,%d", f.RMajor, f.RMinor)
	}
	return e
}

// fromLabels returns the files of an initramfs that is linked into the payload, as a list has them.
func (l *Labels) fromLabels() []File {
	var files []File
	for _, from := range l.files {
		files = append(files, File{Path: printable.Text(from.path), SHA256: from.digest, Label: from.label})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}
