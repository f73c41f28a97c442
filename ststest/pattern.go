package ststest

import (
	"regexp"
	"sync"
)

// A pattern is a regular expression that is compiled when it is first used. A
// program that links this package for a demonstration pays nothing for it when
// it starts.
type pattern func() *regexp.Regexp

func newPattern(text string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (p pattern) MatchString(s string) bool { return p().MatchString(s) }

func (p pattern) FindStringSubmatch(s string) []string { return p().FindStringSubmatch(s) }
