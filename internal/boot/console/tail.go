package console

// TailLines is the number of lines that a Watcher keeps: the kernel prints 60 lines about
// a panic, and a few lines before them show what led to it.
const TailLines = 80

// A tail keeps the last lines that were added.
type tail struct {
	ring  [TailLines]string
	count int // lines ever added
}

func (t *tail) add(line string) {
	t.ring[t.count%TailLines] = line
	t.count++
}

// lines returns the lines, oldest first.
func (t *tail) lines() []string {
	n := min(t.count, TailLines)
	out := make([]string, 0, n+1)
	for i := t.count - n; i < t.count; i++ {
		out = append(out, t.ring[i%TailLines])
	}
	return out
}
