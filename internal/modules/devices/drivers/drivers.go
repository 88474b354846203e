// Package drivers finds the drivers in the source of a kernel: which devices each is for, and
// which options of the configuration turn it on.
//
// Scan reads the tables of devices in C files (struct of_device_id and others) and the objects
// in Kbuild files. It takes seconds, so its result, the Index, is kept in a file.
package drivers

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
)

// Driver is a source file with tables of devices that a module, or the kernel image, is made of.
// A file that several modules have is several drivers.
type Driver struct {
	// Source is the path of the C file, such as "drivers/power/supply/bq25890_charger.c".
	Source string
	// Module is the name of the module with underscores, such as "bq25890_charger".
	Module string
	// Options are the options that must be on, with CONFIG_: that of the module first, those of
	// its directories last. There is none for what every kernel has.
	Options []string
	// Aliases are what the modaliases of its devices match, as kbuild writes them
	// (scripts/mod/file2alias.c).
	Aliases []string
}

// Index is what is known of the drivers of a kernel.
type Index struct {
	// Version is that of the kernel, such as "7.2.12".
	Version string
	// Drivers are sorted by Source, Module and Options.
	Drivers []Driver

	once sync.Once
	set  aliases.Set[int]
}

// Match returns the drivers for a modalias, in the order of the index.
func (x *Index) Match(modalias string) []Driver {
	x.once.Do(func() {
		for i, d := range x.Drivers {
			for _, alias := range d.Aliases {
				x.set.Add(alias, i)
			}
		}
	})
	found := x.set.Match(modalias)
	slices.Sort(found)
	var drivers []Driver
	for _, i := range slices.Compact(found) {
		drivers = append(drivers, x.Drivers[i])
	}
	return drivers
}

// ErrNotSource is the error for a directory that is not the source of a kernel.
var ErrNotSource = errors.New("not the source of a kernel: it needs the files Makefile and drivers/Makefile")

// Scan makes an index of the source of a kernel, which is called name in errors. The result
// depends on the source alone.
func Scan(ctx context.Context, name string, source fs.FS) (*Index, error) {
	version, err := readVersion(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	objects, err := readKbuild(source)
	if err != nil {
		return nil, err
	}
	files := make([]string, 0, len(objects))
	for file := range objects {
		files = append(files, file)
	}
	slices.Sort(files)
	// Each worker has the headers of a range of files, which are mostly those of a directory.
	workers := min(runtime.GOMAXPROCS(0), len(files))
	found := make([][]Driver, workers)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			h := &headers{source: source, cache: map[string]*header{}}
			part := files[w*len(files)/workers : (w+1)*len(files)/workers]
			for _, file := range part {
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				var drivers []Driver
				if drivers, errs[w] = scanFile(h, file, objects[file]); errs[w] != nil {
					return
				}
				found[w] = append(found[w], drivers...)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	x := &Index{Version: version, Drivers: slices.Concat(found...)}
	x.sort()
	return x, nil
}

// scanFile returns the drivers of a source file.
func scanFile(h *headers, file string, objects []object) ([]Driver, error) {
	name := file + ".c"
	text, err := readText(h.source, name)
	if err != nil {
		return nil, err
	}
	aliases := sourceAliases(h, name, text)
	if len(aliases) == 0 {
		return nil, nil
	}
	var drivers []Driver
	for _, o := range objects {
		drivers = append(drivers, Driver{Source: name, Module: o.module, Options: o.options, Aliases: aliases})
	}
	return drivers, nil
}

func (x *Index) sort() {
	slices.SortStableFunc(x.Drivers, func(a, b Driver) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Module, b.Module), slices.Compare(a.Options, b.Options))
	})
}

// maxSource is the largest source file that is read, in bytes.
const maxSource = 8 << 20

// readText returns the content of a file, and nothing for one that is missing, too large, or a
// link out of the source.
func readText(source fs.FS, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", nil
	}
	file, err := source.Open(name)
	if err != nil {
		return "", nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSource))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(data), nil
}

var versionLine = regexp.MustCompile(`(?m)^(VERSION|PATCHLEVEL|SUBLEVEL)\s*=\s*(\d+)\s*$`)

// readVersion returns the version that the top makefile of a kernel has.
func readVersion(source fs.FS) (string, error) {
	text, err := readText(source, "Makefile")
	if err != nil {
		return "", err
	}
	parts := map[string]string{}
	for _, m := range versionLine.FindAllStringSubmatch(text, -1) {
		parts[m[1]] = m[2]
	}
	if drivers, err := readText(source, "drivers/Makefile"); err != nil || drivers == "" || len(parts) < 3 {
		return "", cmp.Or(err, ErrNotSource)
	}
	return parts["VERSION"] + "." + parts["PATCHLEVEL"] + "." + parts["SUBLEVEL"], nil
}

// The file of an index is text. After the first line come the drivers, each with a line
//
//	driver SOURCE MODULE OPTION,...
//
// with - for no options, and a line for each alias, which begins with a space. The last line is
// "end COUNT" with the number of drivers. An index without it is cut off.
const indexHeader = "driver index 2 of Linux "

// Write writes an index.
func Write(w io.Writer, x *Index) error {
	out := bufio.NewWriterSize(w, 64<<10)
	fmt.Fprintf(out, "%s%s\n", indexHeader, x.Version)
	for _, d := range x.Drivers {
		fmt.Fprintf(out, "driver %s %s %s\n", d.Source, d.Module, cmp.Or(strings.Join(d.Options, ","), "-"))
		for _, alias := range d.Aliases {
			fmt.Fprintf(out, " %s\n", alias)
		}
	}
	fmt.Fprintf(out, "end %d\n", len(x.Drivers))
	return out.Flush()
}

// ErrNotIndex is the error for a file that Write did not write.
var ErrNotIndex = errors.New("not a driver index: make one with packer driver-index")

// Limits of an index.
const (
	maxIndexLine = 64 << 10
	maxIndex     = 1 << 20 // drivers and aliases
)

var driverLine = regexp.MustCompile(`^driver (\S+) (\S+) (-|CONFIG_\w+(?:,CONFIG_\w+)*)$`)

// Read reads an index. It returns ErrNotIndex with what is wrong.
func Read(r io.Reader) (*Index, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 4096), maxIndexLine)
	x := &Index{}
	count, ended := 0, false
	for lines.Scan() {
		line := lines.Text()
		if count++; count > maxIndex {
			return nil, fmt.Errorf("%w: it has more than %d lines", ErrNotIndex, maxIndex)
		}
		if count == 1 {
			version, ok := strings.CutPrefix(line, indexHeader)
			if !ok {
				return nil, ErrNotIndex
			}
			x.Version = version
			continue
		}
		if ended {
			return nil, fmt.Errorf("%w: line %d follows its end", ErrNotIndex, count)
		}
		if text, ok := strings.CutPrefix(line, "end "); ok {
			if n, err := strconv.Atoi(text); err != nil || n != len(x.Drivers) {
				return nil, fmt.Errorf("%w: its end says %.80q for the number of drivers, which is %d", ErrNotIndex, text, len(x.Drivers))
			}
			ended = true
			continue
		}
		if alias, ok := strings.CutPrefix(line, " "); ok && len(x.Drivers) > 0 && printable(alias) {
			d := &x.Drivers[len(x.Drivers)-1]
			d.Aliases = append(d.Aliases, alias)
			continue
		}
		m := driverLine.FindStringSubmatch(line)
		if m == nil || !fs.ValidPath(m[1]) || path.Ext(m[1]) != ".c" {
			return nil, fmt.Errorf("%w: line %d is %.80q", ErrNotIndex, count, line)
		}
		d := Driver{Source: m[1], Module: m[2]}
		if m[3] != "-" {
			d.Options = strings.Split(m[3], ",")
		}
		x.Drivers = append(x.Drivers, d)
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("%w: line %d has more than %d bytes", ErrNotIndex, count+1, maxIndexLine)
		}
		return nil, err
	}
	switch {
	case count == 0:
		return nil, ErrNotIndex
	case !ended:
		return nil, fmt.Errorf("%w: it is cut off after line %d", ErrNotIndex, count)
	}
	return x, nil
}
