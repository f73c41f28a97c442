//go:build unix

package config

// Refusal is what an error says of a file for a process of this user and these groups.
func Refusal(path string, user, group int, contained bool, more ...int) string {
	return reader{user: user, group: group, more: more, contained: contained}.refusal(path)
}
