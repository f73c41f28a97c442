//go:build !unix

package config

// reader is a process. On this system, modes do not decide who may read a file.
type reader struct{}

func thisReader() reader { return reader{} }

func (reader) refusal(string) string { return "" }
