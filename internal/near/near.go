// Package near finds the names that a misspelled one may mean.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// maxWord is the longest word, in bytes, that is compared with others.
const maxWord = 128

// Names returns at most n of the candidates, those most like a word first: few changes of a
// character lead from one to the other (their Levenshtein distance), or one is part of the other.
// Case, and whether a character is - or _, do not matter.
func Names(word string, candidates []string, n int) []string {
	word = fold(word)
	if word == "" || len(word) > maxWord {
		return nil
	}
	type scored struct {
		name     string
		distance int
	}
	var found []scored
	// Candidates are many: a distance over the limit is not computed.
	limit := max(1, len(word)/3)
	for _, name := range candidates {
		candidate := fold(name)
		if d := distance(word, candidate, limit); d <= limit {
			found = append(found, scored{name, d})
		} else if len(word) > 2 && len(candidate) > 2 && (strings.Contains(candidate, word) || strings.Contains(word, candidate)) {
			found = append(found, scored{name, limit + max(len(word)-len(candidate), len(candidate)-len(word))})
		}
	}
	slices.SortFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	found = slices.Compact(found)
	var names []string
	for _, f := range found[:min(n, len(found))] {
		names = append(names, f.name)
	}
	return names
}

func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// distance returns the Levenshtein distance of two words, or a number over limit if it is more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}
