//prose:off because this file has the words that others must not have.

package main

import (
	"regexp"
	"strings"
)

// word is a pattern that text must not match, and what to write in its place.
type word struct {
	pattern    *regexp.Regexp
	suggestion string
	// allowed matches the exceptions, such as the kernel's own words; or it is nil.
	allowed *regexp.Regexp
}

// wordList is the word list. The glossary (docs/glossary.md) defines the words to use.
var wordList = []word{
	newWord(`behind`, "after, or at the end of", ``),
	newWord(`folders?`, "directory", ``),
	newWord(`(tells?|told|telling) (whether|if)`, "reports whether", ``),
	newWord(`anew`, "again", ``),
	newWord(`(stands?|stood) for`, "matches, means, or represents", ``),
	newWord(`processors?`, "CPU", `processor\\t|processors 1`),
	newWord(`(is|are|was) no`, "is not a", `(is|are|was) no (longer|more|less|larger|such)|there (is|are|was) no`),
	newWord(`(is|are) none`, "is not one", `there (is|are) none`),
	newWord(`there (is|are) not`, "does not exist", ``),
	newWord(`of which`, "whose", `(one|all|most|each) of which`),
	newWord(`faults?`, "error", `(page|segmentation|protection|double|bus|stack|injected) faults?|fault[- ]injection|fault\.c`),
	newWord(`segments?`, "member, layer, or part (see the glossary)", `(ELF|program|LOAD|data|code|text|one|single) segments?`),
	newWord(`, for (it|they|make|there|nothing|nobody|these|those)`, `"because", or two sentences`, ``),
	newWord(`(in|without) silence`, "silently", ``),
	newWord(`but for`, "except for", ``),
	newWord(`(for )?want of`, "without, or missing", ``),
	newWord(`affairs?`, "responsibility", ``),
	newWord(`takes? (it|them|this|that|what) for`, "treats ... as", ``),
	newWord(`all that (is|are|was|were|it|they|has|have)`, "everything that", ``),
	newWord(`of such (that|as|which)`, "of these", ``),
	newWord(`who (takes?|asks?|wants?|calls?|loads?|reads?|sits?)`, "the user or program that", ``),
	{pattern: regexp.MustCompile(`(?i)\b(has|have|had) not[.,;:)]`), suggestion: "does not have it"},
	newWord(`lest`, "so that ... not", ``),
	newWord(`till`, "until", ``),
	newWord(`(hand|hands|handed) on`, "pass on", ``),
	newWord(`(there|where|here)(of|in|by|upon)`, "a plain word", `wherein lies`),
	newWord(`whilst`, "while", ``),
	newWord(`amongst`, "among", ``),
	newWord(`(behavi|col|fav|hon|lab|neighb|flav|harb)our(s|ed|ing|ite|able)?`, "the American spelling: -or", ``),
	newWord(`(normal|organ|recogn|serial|initial|optim|minim|synchron|summar|special|character)is(e|es|ed|ing|ation)`, "the American spelling: -ize", ``),
	newWord(`(cent|met|fib)re`, "the American spelling: -er", ``),
	newWord(`(licence|artefacts?|analyse[ds]?|catalogue|grey|cancelled|labelled|modelled|signalled)`, "the American spelling", ``),
}

// newWord returns a word whose patterns start and end at a word's boundary. Case does not
// matter, and a space matches any white space.
func newWord(pattern, suggestion, allowed string) word {
	compile := func(pattern string) *regexp.Regexp {
		if pattern[0] != ',' {
			pattern = `\b(?:` + pattern + ")"
		}
		return regexp.MustCompile("(?i)" + strings.ReplaceAll(pattern, " ", `\s+`) + `\b`)
	}
	w := word{compile(pattern), suggestion, nil}
	if allowed != "" {
		w.allowed = compile(allowed)
	}
	return w
}
