//prose:off because this file has the words that others must not have.

package prose

import "regexp"

// rule is a pattern that text must not match, and what to write in its place.
type rule struct {
	pattern    *regexp.Regexp
	suggestion string
	// allowed matches the exceptions, such as the kernel's own words; or it is nil.
	allowed *regexp.Regexp
}

// rules is the word list. The glossary (docs/glossary.md) defines the words to use.
var rules = []rule{
	words(`behind`, "after, or at the end of", ``),
	words(`folders?`, "directory", ``),
	words(`(tells?|told|telling) (whether|if)`, "reports whether", ``),
	words(`anew`, "again", ``),
	words(`(stands?|stood) for`, "matches, means, or represents", ``),
	words(`processors?`, "CPU", `processor\\t`),
	words(`(is|are|was) no`, "is not a", `(is|are|was) no (longer|more|less|larger|such)|there (is|are|was) no`),
	words(`(is|are) none`, "is not one", `there (is|are) none`),
	words(`there (is|are) not`, "does not exist", ``),
	words(`of which`, "whose", `(one|all|most|each) of which`),
	words(`faults?`, "error", `(page|segmentation|protection|double|bus|stack|injected) faults?|fault[- ]injection|fault\.c`),
	words(`segments?`, "member, layer, or part (see the glossary)", `(ELF|program|LOAD|data|code|text|one|single) segments?`),
	words(`, for (it|they|make|there|nothing|nobody|these|those)`, `"because", or two sentences`, ``),
	words(`(in|without) silence`, "silently", ``),
	words(`but for`, "except for", ``),
	words(`(for )?want of`, "without, or missing", ``),
	words(`affairs?`, "responsibility", ``),
	words(`takes? (it|them|this|that|what) for`, "treats ... as", ``),
	words(`all that (is|are|was|were|it|they|has|have)`, "everything that", ``),
	words(`of such (that|as|which)`, "of these", ``),
	words(`who (takes?|asks?|wants?|calls?|loads?|reads?|sits?)`, "the user or program that", ``),
	{pattern: regexp.MustCompile(`(?i)\b(has|have|had) not[.,;:)]`), suggestion: "does not have it"},
	words(`lest`, "so that ... not", ``),
	words(`till`, "until", ``),
	words(`(hand|hands|handed) on`, "pass on", ``),
	words(`(there|where|here)(of|in|by|upon)`, "a plain word", `wherein lies`),
	words(`whilst`, "while", ``),
	words(`amongst`, "among", ``),
	words(`(behavi|col|fav|hon|lab|neighb|flav|harb)our(s|ed|ing|ite|able)?`, "the American spelling: -or", ``),
	words(`(normal|organ|recogn|serial|initial|optim|minim|synchron|summar|special|character)is(e|es|ed|ing|ation)`, "the American spelling: -ize", ``),
	words(`(cent|met|fib)re`, "the American spelling: -er", ``),
	words(`(licence|artefacts?|analyse[ds]?|catalogue|grey|cancelled|labelled|modelled|signalled)`, "the American spelling", ``),
}

func words(pattern, suggestion, allowed string) rule {
	r := rule{pattern: wholeWords(pattern), suggestion: suggestion}
	if allowed != "" {
		r.allowed = wholeWords(allowed)
	}
	return r
}

// wholeWords compiles a pattern that starts and ends at a word's boundary. Case does not
// matter, and a space matches any white space.
func wholeWords(pattern string) *regexp.Regexp {
	if pattern[0] != ',' {
		pattern = `\b` + "(?:" + pattern + ")"
	}
	return regexp.MustCompile("(?i)" + regexp.MustCompile(" ").ReplaceAllString(pattern, `\s+`) + `\b`)
}
