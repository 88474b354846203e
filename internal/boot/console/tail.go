package console

// TailLines is the number of lines a Watcher keeps: what led to a kernel panic, and
// the 60 lines that the kernel says about it.
const TailLines = 80

// A tail keeps the last lines it was given.
type tail struct {
	ring  [TailLines]string
	count int // lines ever given
}

func (t *tail) add(line string) {
	t.ring[t.count%TailLines] = line
	t.count++
}

// lines returns what is kept, oldest first.
func (t *tail) lines() []string {
	n := min(t.count, TailLines)
	out := make([]string, 0, n+1)
	for i := t.count - n; i < t.count; i++ {
		out = append(out, t.ring[i%TailLines])
	}
	return out
}
